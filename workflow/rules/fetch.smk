rule fetch:
    input:
        # The user's own files; other datasets have none.
        lambda wildcards: STUDY.dataset(wildcards.dataset).inputs(),
        wanted=wanted_record(
            PATTERN.dataset_record("{dataset}"),
            lambda wildcards: STUDY.dataset_identity(wildcards.dataset),
        ),
    output:
        PATTERN.dataset_record("{dataset}"),
    log:
        RESULTS / "_logs" / "fetch" / "{dataset}.log",
    threads: 1
    shell:
        "matteralign fetch --dataset {wildcards.dataset:q} --out {output:q} 2>&1 | tee {log:q}"


rule weights:
    input:
        wanted=wanted_record(
            PATTERN.weights_record("{model}", "trained"),
            lambda wildcards: STUDY.weights_identity(wildcards.model, "trained"),
        ),
    output:
        PATTERN.weights_record("{model}", "trained"),
    log:
        RESULTS / "_logs" / "weights" / "{model}.log",
    threads: 1
    shell:
        "matteralign fetch --model {wildcards.model:q} --out {output:q} 2>&1 | tee {log:q}"


# As above, for slices where an untrained network may replace missing weights.
rule weights_or_architecture:
    input:
        wanted=wanted_record(
            PATTERN.weights_record("{model}", "untrained-where-missing"),
            lambda wildcards: STUDY.weights_identity(
                wildcards.model, "untrained-where-missing"
            ),
        ),
    output:
        PATTERN.weights_record("{model}", "untrained-where-missing"),
    log:
        RESULTS / "_logs" / "weights" / "untrained-where-missing" / "{model}.log",
    threads: 1
    shell:
        "matteralign fetch --model {wildcards.model:q} --weights untrained-where-missing"
        " --out {output:q} 2>&1 | tee {log:q}"


rule environment:
    input:
        wanted=wanted_record(
            PATTERN.environment_record("{environment}"),
            lambda wildcards: STUDY.environment_identity(wildcards.environment),
        ),
    output:
        PATTERN.environment_record("{environment}"),
    log:
        RESULTS / "_logs" / "environments" / "{environment}.log",
    threads: 1
    shell:
        "matteralign environment {wildcards.environment:q} --out {output:q} 2>&1 | tee {log:q}"
