import os
import sys
from functools import cache
from pathlib import Path

from matteralign.stages.study.across import analysis_inputs
from matteralign.stages.study.layout import AnalysisLayout, Layout
from matteralign.stages.study.nested import longer, of_models, source_of
from matteralign.stages.study.study import open_study
from matteralign.stages.study.wanted import settle_analysis, settle_record, settle_slice
from matteralign.cli.shared.common import CONFIG_VARIABLE, put_program_on_path
from matteralign.config.load import read_yaml, resolve
from matteralign.core.errors import MatterAlignError, UserError
from matteralign.core.files import write_json
from matteralign.core.hashing import sha256_json


def read_study():
    """Return the validated study."""
    if not config:
        raise UserError(
            "the configuration is empty: it has no slices (a workflow that takes this one in as a "
            "module hands its own on with `config: config`)"
        )
    files = [Path(str(path)) for path in workflow.configfiles]
    for path in files:
        read_yaml(path)  # Snakemake has read it too, but accepts duplicate keys.
    origin = files[0].name if files else "configuration of the module"
    return open_study(
        resolve(
            config, origin=origin, base=files[0].resolve().parent if files else Path()
        )
    )


def publish_config(study):
    """Write the resolved configuration where every job of this run, local or not, reads it."""
    values = study.config.model_dump(mode="json")
    path = Path(study.config.results) / "_config" / f"{sha256_json(values)[:16]}.json"
    if not path.exists():
        write_json(path, values)
    os.environ[CONFIG_VARIABLE] = str(path.resolve())


try:
    STUDY = read_study()
    publish_config(STUDY)
except MatterAlignError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)

RESULTS = Path(STUDY.config.results)
SHARED = RESULTS / "_shared"
put_program_on_path()


def layout(slice_name):
    return Layout(RESULTS, slice_name)


PATTERN = Layout(RESULTS, "{slice}")
ANALYSIS = AnalysisLayout(RESULTS, "{analysis}")
SWEEP_OUTPUT = {"sweep": PATTERN.sweep} if STUDY.config.metrics.sweep else {}
# For jobs that can use many cores. Snakemake gives fewer if --cores is smaller; a cluster
# profile or --set-threads changes it for single rules.
THREADS = 8
MODELS = sorted(
    {card.key for name in STUDY.config.slices for card in STUDY.panel(name)}
)


wildcard_constraints:
    slice="|".join(STUDY.config.slices) or "none",
    model="|".join(key.replace(".", r"\.") for key in MODELS) or "none",
    analysis="|".join(STUDY.config.analyses) or "none",
    dataset=r"[a-z0-9\-@]+",
    environment=r"[a-z0-9\-]+",


def weights_record(wildcards):
    return layout(wildcards.slice).weights_record(
        wildcards.model, STUDY.weights(wildcards.slice)
    )


@cache
def requested():
    """Return the slices that this run makes something of, each with the models."""
    targets = workflow.dag_settings.targets or [workflow.default_target]
    files = []
    for target in filter(None, targets):
        files += (
            workflow.get_rule(target).input if workflow.is_rule(target) else [target]
        )
    return of_models(STUDY, RESULTS, map(str, files))


def longer_latents(wildcards):
    """Return what a longer slice of the same draw has of a model, to take the first rows from.

    Where there is no such slice, a file that nothing makes: Snakemake then takes `embed`.
    """
    name, key = wildcards.slice, wildcards.model
    others = [other for other, keys in requested().items() if key in keys]
    source = source_of(STUDY, RESULTS, name, key, others)
    if source is None:
        return [str(layout(name).root / ".no-longer-slice")]
    place = layout(source)
    files = [place.latent(key), place.latent_sidecar(key), place.predictions(key)]
    # Only their order counts: whether rows are to be taken again is decided by content.
    return [ancient(str(path)) for path in files]


SETTLED = set()


def say(line):
    print(line, file=sys.stderr, flush=True)


def wanted(stage):
    """Return the input that makes a result run again when what is there is not of today.

    A slice is looked at once, when the first of its rules is asked for.
    """

    def find(wildcards):
        place = layout(wildcards.slice)
        if workflow.is_main_process and wildcards.slice not in SETTLED:
            SETTLED.add(wildcards.slice)
            asked = not requested() or wildcards.slice in requested()
            # A longer slice of the same draw, which rows are taken from, is not told about.
            settle_slice(STUDY, place, say if asked else lambda line: None)
        return place.wanted(stage, wildcards.get("model"))

    return find


def wanted_analysis():
    """As `wanted`, of an analysis."""

    def find(wildcards):
        place = AnalysisLayout(RESULTS, wildcards.analysis)
        if workflow.is_main_process and place not in SETTLED:
            SETTLED.add(place)
            settle_analysis(STUDY, place, say)
        return place.wanted

    return find


def wanted_record(record, identity):
    """As `wanted`, of a record that slices share."""

    def find(wildcards):
        path, values = Path(expand(str(record), **wildcards)[0]), identity(wildcards)
        return settle_record(PATTERN, path, values, write=workflow.is_main_process)

    return find


def panel(wildcards):
    return [card.key for card in STUDY.panel(wildcards.slice)]
