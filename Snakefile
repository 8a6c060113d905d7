"""Alignment of scientific foundation models: a target per slice and analysis, `all` for all."""

from snakemake.utils import min_version

min_version("9.0")

if not workflow.configfiles and not config:

    configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/fetch.smk"
include: "workflow/rules/sample.smk"
include: "workflow/rules/embed.smk"
include: "workflow/rules/summarize.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/analyses.smk"


rule all:
    default_target: True
    input:
        [layout(name).report for name in STUDY.config.slices],
        [AnalysisLayout(RESULTS, name).record for name in STUDY.config.analyses],


for slice_name in STUDY.config.slices:

    rule:
        name:
            slice_name
        input:
            layout(slice_name).report,


for analysis_name in STUDY.config.analyses:

    rule:
        name:
            analysis_name
        input:
            AnalysisLayout(RESULTS, analysis_name).record,
