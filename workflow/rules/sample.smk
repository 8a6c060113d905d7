rule sample:
    input:
        lambda wildcards: SHARED
        / "datasets"
        / f"{STUDY.slice(wildcards.slice).dataset}.json",
    output:
        PATTERN.structures,
    log:
        RESULTS / "_logs" / "{slice}" / "sample.log",
    threads: 2
    params:
        identity=lambda wildcards: sha256_json(STUDY.sample_identity(wildcards.slice)),
    shell:
        "matteralign sample {wildcards.slice:q} --threads {threads} 2>&1 | tee {log:q}"
