rule summarize:
    input:
        wanted=wanted("summarize"),
        structures=PATTERN.structures,
        # The sidecar holds the array's hash: it stands for the array, and is small enough
        # for Snakemake to compare by content.
        sidecar=PATTERN.latent_sidecar("{model}"),
    output:
        # Left in place for the job, which keeps what is of the same latents and metrics.
        lists=update(PATTERN.neighbors("{model}")),
        sidecar=update(PATTERN.neighbors_sidecar("{model}")),
    log:
        RESULTS / "_logs" / "{slice}" / "summarize" / "{model}.log",
    threads: THREADS
    shell:
        "matteralign summarize {wildcards.slice:q} {wildcards.model:q} --threads {threads} 2>&1 | tee {log:q}"
