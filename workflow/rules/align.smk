# One job per slice: one pass over the latents serves all pairs. What the slice's ledger
# holds is not computed again, so a new model costs its own pairs and nothing else.
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
        scores=PATTERN.scores,
    log:
        RESULTS / "_logs" / "{slice}" / "score.log",
    benchmark:
        RESULTS / "_logs" / "{slice}" / "score.tsv"
    threads: THREADS
    shell:
        "matteralign score {wildcards.slice:q} --threads {threads} 2>&1 | tee {log:q}"
