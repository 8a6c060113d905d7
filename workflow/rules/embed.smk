EMBED_INPUT = {
    "structures": PATTERN.structures,
    "weights": weights_record,
    "environment": lambda wildcards: PATTERN.environment_record(
        STUDY.cards[wildcards.model].environment
    ),
}
# Not removed before the job, which keeps latents of the same card and structures.
EMBED_OUTPUT = {
    "latent": update(PATTERN.latent("{model}")),
    "sidecar": update(PATTERN.latent_sidecar("{model}")),
    "predictions": update(PATTERN.predictions("{model}")),
}


rule embed:
    input:
        **EMBED_INPUT,
        wanted=wanted("embed"),
    output:
        **EMBED_OUTPUT,
    log:
        RESULTS / "_logs" / "{slice}" / "embed" / "{model}.log",
    benchmark:
        RESULTS / "_logs" / "{slice}" / "embed" / "{model}.tsv"
    threads: 1
    shell:
        "matteralign embed {wildcards.slice:q} {wildcards.model:q} --threads {threads} 2>&1 | tee {log:q}"


# The rows of a shorter slice of the same draw are copied, which takes no node of a cluster. The
# command is that of `embed`: it runs the model where the rows are not those of the longer slice.
rule take:
    input:
        **EMBED_INPUT,
        wanted=wanted("embed"),
        longer=longer_latents,
    output:
        **EMBED_OUTPUT,
    log:
        RESULTS / "_logs" / "{slice}" / "embed" / "{model}.log",
    wildcard_constraints:
        slice="|".join(name for name in STUDY.config.slices if longer(STUDY, name))
        or "none",
    localrule: True
    threads: 1
    shell:
        "matteralign embed {wildcards.slice:q} {wildcards.model:q} --threads {threads} 2>&1 | tee {log:q}"


ruleorder: take > embed
