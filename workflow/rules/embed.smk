rule embed:
    input:
        wanted=wanted("embed"),
        structures=PATTERN.structures,
        weights=weights_record,
        environment=lambda wildcards: PATTERN.environment_record(
            STUDY.cards[wildcards.model].environment
        ),
    output:
        # Not removed before the job, which keeps latents of the same card and structures.
        latent=update(PATTERN.latent("{model}")),
        sidecar=update(PATTERN.latent_sidecar("{model}")),
        predictions=update(PATTERN.predictions("{model}")),
    log:
        RESULTS / "_logs" / "{slice}" / "embed" / "{model}.log",
    benchmark:
        RESULTS / "_logs" / "{slice}" / "embed" / "{model}.tsv"
    threads: 1
    shell:
        "matteralign embed {wildcards.slice:q} {wildcards.model:q} --threads {threads} 2>&1 | tee {log:q}"
