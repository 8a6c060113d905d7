rule tables:
    input:
        scores=PATTERN.scores,
        latents=lambda wildcards: [
            layout(wildcards.slice).latent_sidecar(key) for key in panel(wildcards)
        ],
        neighbors=lambda wildcards: [
            layout(wildcards.slice).neighbors(key).with_suffix(".json")
            for key in panel(wildcards)
        ],
    output:
        directory(PATTERN.tables),
    log:
        RESULTS / "_logs" / "{slice}" / "tables.log",
    threads: 1
    params:
        identity=lambda wildcards: STUDY.figure_identity(wildcards.slice),
    shell:
        "matteralign tables {wildcards.slice} 2>&1 | tee {log}"


rule figures:
    input:
        **SWEEP_OUTPUT,
        scores=PATTERN.scores,
        tables=PATTERN.tables,
    output:
        directory(PATTERN.figures),
    log:
        RESULTS / "_logs" / "{slice}" / "figures.log",
    threads: 1
    params:
        identity=lambda wildcards: STUDY.figure_identity(wildcards.slice),
    shell:
        "matteralign figures {wildcards.slice} 2>&1 | tee {log}"


rule report:
    input:
        **SWEEP_OUTPUT,
        structures=PATTERN.structures,
        scores=PATTERN.scores,
        tables=PATTERN.tables,
        figures=PATTERN.figures,
    output:
        PATTERN.report,
    log:
        RESULTS / "_logs" / "{slice}" / "report.log",
    threads: 1
    params:
        identity=lambda wildcards: STUDY.figure_identity(wildcards.slice),
    shell:
        "matteralign report {wildcards.slice} 2>&1 | tee {log}"
