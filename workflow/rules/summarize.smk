rule summarize:
    input:
        structures=PATTERN.structures,
        # The sidecar holds the array's hash: it stands for the array, and is small enough
        # for Snakemake to compare by content.
        sidecar=PATTERN.latent_sidecar("{model}"),
    output:
        lists=PATTERN.neighbors("{model}"),
        sidecar=PATTERN.neighbors("{model}").with_suffix(".json"),
    log:
        RESULTS / "_logs" / "{slice}" / "summarize" / "{model}.log",
    threads: THREADS
    params:
        identity=lambda wildcards: sha256_json(STUDY.summary_identity(wildcards.slice)),
    shell:
        "matteralign summarize {wildcards.slice:q} {wildcards.model:q} --threads {threads} 2>&1 | tee {log:q}"
