rule fetch:
    output:
        SHARED / "datasets" / "{dataset}.json",
    log:
        RESULTS / "_logs" / "fetch" / "{dataset}.log",
    threads: 1
    shell:
        "matteralign fetch --dataset {wildcards.dataset} --out {output} 2>&1 | tee {log}"


rule weights:
    output:
        SHARED / "weights" / "{model}.json",
    log:
        RESULTS / "_logs" / "weights" / "{model}.log",
    threads: 1
    params:
        checkpoint=lambda wildcards: STUDY.cards[wildcards.model].checkpoint.digest(),
    shell:
        "matteralign fetch --model {wildcards.model} --out {output} 2>&1 | tee {log}"


rule environment:
    output:
        SHARED / "environments" / "{environment}.json",
    log:
        RESULTS / "_logs" / "environments" / "{environment}.log",
    threads: 1
    params:
        lock=lambda wildcards: get_environment(wildcards.environment).lock_digest(),
    shell:
        "matteralign environment {wildcards.environment} --out {output} 2>&1 | tee {log}"
