# One job per slice: one pass over the latents is enough for all pairs. Scores in the slice's
# ledger are not computed again, so a new model only costs its own pairs.
rule score:
    input:
        wanted=wanted("score"),
        structures=PATTERN.structures,
        latents=lambda wildcards: [
            layout(wildcards.slice).latent_sidecar(key) for key in panel(wildcards)
        ],
        neighbors=lambda wildcards: [
            layout(wildcards.slice).neighbors_sidecar(key) for key in panel(wildcards)
        ],
    output:
        **SWEEP_OUTPUT,
        replicates=PATTERN.replicates,
        scores=PATTERN.scores,
    log:
        RESULTS / "_logs" / "{slice}" / "score.log",
    benchmark:
        RESULTS / "_logs" / "{slice}" / "score.tsv"
    threads: THREADS
    shell:
        "matteralign score {wildcards.slice:q} --threads {threads} 2>&1 | tee {log:q}"
