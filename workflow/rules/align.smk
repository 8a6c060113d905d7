# One job per model, for its pairs with the models of lower index. A new model has the
# highest index: the other rows keep their inputs and are not run again.
rule row:
    input:
        structures=PATTERN.structures,
        latents=lambda wildcards: [
            layout(wildcards.slice).latent_sidecar(key)
            for key in row_models(wildcards)
        ],
        neighbors=lambda wildcards: [
            layout(wildcards.slice).neighbors(key).with_suffix(".json")
            for key in row_models(wildcards)
        ],
    output:
        PATTERN.row("{model}"),
    log:
        RESULTS / "_logs" / "{slice}" / "row" / "{model}.log",
    threads: 1
    params:
        identity=sha256_json(STUDY.score_identity()),
    shell:
        "matteralign row {wildcards.slice} {wildcards.model} --threads {threads} 2>&1 | tee {log}"


rule merge:
    input:
        structures=PATTERN.structures,
        rows=lambda wildcards: [
            layout(wildcards.slice).row(key) for key in panel(wildcards)
        ],
    output:
        PATTERN.scores,
    log:
        RESULTS / "_logs" / "{slice}" / "merge.log",
    threads: 1
    shell:
        "matteralign merge {wildcards.slice} 2>&1 | tee {log}"
