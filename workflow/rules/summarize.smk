rule summarize:
    input:
        wanted=wanted("summarize"),
        structures=PATTERN.structures,
        # The sidecar has the hash of the array, so it represents the array, and is small enough
        # for Snakemake to compare by content.
        sidecar=PATTERN.latent_sidecar("{model}"),
    output:
        # Not removed before the job, which keeps lists of the same latents and metrics.
        lists=update(PATTERN.neighbors("{model}")),
        sidecar=update(PATTERN.neighbors_sidecar("{model}")),
    log:
        RESULTS / "_logs" / "{slice}" / "summarize" / "{model}.log",
    threads: THREADS
    shell:
        "matteralign summarize {wildcards.slice:q} {wildcards.model:q} --threads {threads} 2>&1 | tee {log:q}"
