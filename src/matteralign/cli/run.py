"""The verb for people: run a slice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from matteralign.cli.shared.common import (
    CONFIG_VARIABLE,
    DEFAULT_CONFIG,
    ConfigOption,
    SliceArgument,
    layout_of,
    say,
    study_of,
)
from matteralign.cli.shared.passed_on import check_passed_on
from matteralign.core.errors import IntegrityError, MatterAlignError, UserError
from matteralign.core.files import writing
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.standing import Standing
from matteralign.stages.study.study import Study


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(run)


def run(
    context: typer.Context,
    slice_name: SliceArgument,
    cores: Annotated[int, typer.Option(min=1, help="Cores to use.")] = os.cpu_count() or 1,
    snakefile: Annotated[Path, typer.Option(help="The workflow.")] = Path("Snakefile"),
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Run the whole workflow for one slice; further arguments go to Snakemake, such as -n.

    A run that was killed continues where it stopped. Two runs in one folder are refused.
    """
    from filelock import FileLock, Timeout

    study = study_of(config)
    layout = layout_of(study, slice_name)
    if not snakefile.exists():
        raise UserError(f"{snakefile}: no workflow here; run this in the project's folder")
    dry = check_passed_on(context.args, [o for p in context.command.params for o in p.opts])
    lock = layout.results / ".run.lock"
    with writing(lock):
        layout.results.mkdir(parents=True, exist_ok=True)
        lock.touch()
    command = [sys.executable, "-m", "snakemake", slice_name, "--snakefile", str(snakefile)]
    command += ["--configfile", str(config), "--cores", str(cores)]
    # The file lock below replaces Snakemake's, which outlives a killed process. A flag stands
    # after --quiet, or it would take what the user adds for its own values.
    command += ["--quiet", "rules", "host", "reason", "--nolock", "--rerun-incomplete"]
    command += context.args
    # Without bytecode each of the jobs would compile its packages anew.
    dropped = (CONFIG_VARIABLE, "PYTHONDONTWRITEBYTECODE")
    variables = {k: v for k, v in os.environ.items() if k not in dropped}
    try:
        with FileLock(lock, timeout=0):
            code = subprocess.run(command, check=False, env=variables).returncode
    except Timeout as error:
        raise MatterAlignError(
            f"{layout.results}: another run is working here; wait for it or stop it"
        ) from error
    if code != 0:
        raise MatterAlignError(
            f"slice {slice_name!r} did not finish (see above); finished work is kept, "
            "run again to continue"
        )
    if dry or not layout.report.exists():
        return
    _require_complete(study, layout)
    say(f"\n{slice_name} is complete. Open {layout.report.resolve()}")


def _require_complete(study: Study, layout: Layout) -> None:
    """Refuse to call a slice complete of which something is not of today's configuration.

    Raises
    ------
    IntegrityError
        In one line: what, and why.
    """
    for result in Standing(study, layout).results():
        why = result.differs() if result.there else "is missing"
        if why is not None:
            raise IntegrityError(
                f"{layout.slice} is not complete: {result.outputs[-1]}: {why}; run it again"
            )
