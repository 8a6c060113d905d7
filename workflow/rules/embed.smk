rule embed:
    input:
        structures=PATTERN.structures,
        weights=weights_record,
        environment=lambda wildcards: SHARED
        / "environments"
        / f"{STUDY.cards[wildcards.model].environment}.json",
    output:
        latent=PATTERN.latent("{model}"),
        sidecar=PATTERN.latent_sidecar("{model}"),
        predictions=PATTERN.predictions("{model}"),
    log:
        RESULTS / "_logs" / "{slice}" / "embed" / "{model}.log",
    benchmark:
        RESULTS / "_logs" / "{slice}" / "embed" / "{model}.tsv"
    threads: 1
    params:
        identity=lambda wildcards: sha256_json(
            STUDY.embed_identity(wildcards.model, wildcards.slice)
        ),
    shell:
        "matteralign embed {wildcards.slice:q} {wildcards.model:q} --threads {threads} 2>&1 | tee {log:q}"
