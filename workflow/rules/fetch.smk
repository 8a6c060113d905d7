rule fetch:
    input:
        # A user's own files; what comes from elsewhere has none.
        lambda wildcards: STUDY.dataset(wildcards.dataset).inputs(),
    output:
        SHARED / "datasets" / "{dataset}.json",
    log:
        RESULTS / "_logs" / "fetch" / "{dataset}.log",
    threads: 1
    params:
        # Of a folder with more files than a workflow should watch one by one.
        listing=lambda wildcards: STUDY.dataset(wildcards.dataset).listing(),
    shell:
        "matteralign fetch --dataset {wildcards.dataset:q} --out {output:q} 2>&1 | tee {log:q}"


rule weights:
    output:
        SHARED / "weights" / "{model}.json",
    log:
        RESULTS / "_logs" / "weights" / "{model}.log",
    threads: 1
    params:
        checkpoint=lambda wildcards: STUDY.cards[wildcards.model].checkpoint.origin(),
    shell:
        "matteralign fetch --model {wildcards.model:q} --out {output:q} 2>&1 | tee {log:q}"


# As above, for slices where an untrained network may stand in for weights that are missing.
rule weights_or_architecture:
    output:
        SHARED / "weights" / "untrained-where-missing" / "{model}.json",
    log:
        RESULTS / "_logs" / "weights" / "untrained-where-missing" / "{model}.log",
    threads: 1
    params:
        checkpoint=lambda wildcards: sha256_json(
            STUDY.cards[wildcards.model].checkpoint.model_dump(mode="json")
        ),
    shell:
        "matteralign fetch --model {wildcards.model:q} --weights untrained-where-missing"
        " --out {output:q} 2>&1 | tee {log:q}"


rule environment:
    output:
        SHARED / "environments" / "{environment}.json",
    log:
        RESULTS / "_logs" / "environments" / "{environment}.log",
    threads: 1
    params:
        lock=lambda wildcards: get_environment(wildcards.environment).lock_digest(),
    shell:
        "matteralign environment {wildcards.environment:q} --out {output:q} 2>&1 | tee {log:q}"
