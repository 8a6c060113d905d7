"""Alignment of scientific foundation models: one target per slice, `all` for every slice."""

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


rule all:
    default_target: True
    input:
        [layout(name).report for name in STUDY.config.slices],


for slice_name in STUDY.config.slices:

    rule:
        name:
            slice_name
        input:
            layout(slice_name).report,
