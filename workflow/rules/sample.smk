rule sample:
    input:
        lambda wildcards: PATTERN.dataset_record(STUDY.slice(wildcards.slice).dataset),
        wanted=wanted("sample"),
    output:
        # Not removed before the job, which keeps structures of the same draw.
        update(PATTERN.structures),
    log:
        RESULTS / "_logs" / "{slice}" / "sample.log",
    threads: 2
    shell:
        "matteralign sample {wildcards.slice:q} --threads {threads} 2>&1 | tee {log:q}"
