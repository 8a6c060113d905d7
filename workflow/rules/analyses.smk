# Of several slices: any job above may have to run before it, none waits for it.
rule analyze:
    input:
        lambda wildcards: analysis_inputs(
            STUDY, AnalysisLayout(RESULTS, wildcards.analysis)
        ),
        wanted=wanted_analysis(),
    output:
        # Not the folder: Snakemake would empty it, a user's own files included.
        ANALYSIS.record,
    log:
        RESULTS / "_logs" / "_study" / "{analysis}.log",
    threads: THREADS
    shell:
        "matteralign analyze {wildcards.analysis:q} --threads {threads} 2>&1 | tee {log:q}"
