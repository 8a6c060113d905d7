rule tables:
    input:
        wanted=wanted("tables"),
        scores=PATTERN.scores,
        latents=lambda wildcards: [
            layout(wildcards.slice).latent_sidecar(key) for key in panel(wildcards)
        ],
        neighbors=lambda wildcards: [
            layout(wildcards.slice).neighbors_sidecar(key) for key in panel(wildcards)
        ],
        predictions=lambda wildcards: [
            layout(wildcards.slice).predictions(key) for key in panel(wildcards)
        ],
    output:
        # Not the folder: Snakemake would empty it, a user's own files included.
        PATTERN.table_list,
    log:
        RESULTS / "_logs" / "{slice}" / "tables.log",
    threads: 1
    shell:
        "matteralign tables {wildcards.slice:q} 2>&1 | tee {log:q}"


rule figures:
    input:
        **SWEEP_OUTPUT,
        wanted=wanted("figures"),
        scores=PATTERN.scores,
        tables=PATTERN.table_list,
    output:
        PATTERN.figure_list,
    log:
        RESULTS / "_logs" / "{slice}" / "figures.log",
    threads: 1
    shell:
        "matteralign figures {wildcards.slice:q} 2>&1 | tee {log:q}"


rule report:
    input:
        **SWEEP_OUTPUT,
        wanted=wanted("report"),
        structures=PATTERN.structures,
        scores=PATTERN.scores,
        tables=PATTERN.table_list,
        figures=PATTERN.figure_list,
    output:
        PATTERN.report,
    log:
        RESULTS / "_logs" / "{slice}" / "report.log",
    threads: 1
    shell:
        "matteralign report {wildcards.slice:q} 2>&1 | tee {log:q}"
