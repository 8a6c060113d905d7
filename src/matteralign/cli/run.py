"""The verb for people: run a slice or an analysis."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from matteralign.cli.shared.common import (
    CONFIG_VARIABLE,
    DEFAULT_CONFIG,
    ConfigOption,
    layout_of,
    say,
    study_of,
)
from matteralign.cli.shared.passed_on import check_passed_on
from matteralign.core.errors import IntegrityError, MatterAlignError, UserError
from matteralign.core.files import writing
from matteralign.core.suggest import require_known
from matteralign.stages.study.across import analysis_result
from matteralign.stages.study.layout import AnalysisLayout
from matteralign.stages.study.standing import Result, Standing
from matteralign.stages.study.study import Study


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(run)


def run(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Slice or analysis of the configuration.")],
    cores: Annotated[int, typer.Option(min=1, help="Cores to use.")] = os.cpu_count() or 1,
    snakefile: Annotated[Path, typer.Option(help="The workflow.")] = Path("Snakefile"),
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Run the whole workflow for a slice or analysis; further arguments go to Snakemake (-n).

    A run that was killed continues where it stopped. Two runs in one folder are refused.
    """
    from filelock import FileLock, Timeout

    study = study_of(config)
    target = _target(study, name)
    if not snakefile.exists():
        raise UserError(f"{snakefile}: no workflow here; run this in the project's folder")
    dry = check_passed_on(context.args, [o for p in context.command.params for o in p.opts])
    results = Path(study.config.results)
    lock = results / ".run.lock"
    with writing(lock):
        results.mkdir(parents=True, exist_ok=True)
        lock.touch()
    command = [sys.executable, "-m", "snakemake", name, "--snakefile", str(snakefile)]
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
            f"{results}: another run is working here; wait for it or stop it"
        ) from error
    if code != 0:
        raise MatterAlignError(
            f"{target.kind} {name!r} did not finish (see above); finished work is kept, "
            "run again to continue"
        )
    if dry or not target.last.exists():
        return
    _require_complete(name, target.results())
    say(f"\n{name} is complete. Open {target.opened.resolve()}")


@dataclass(frozen=True)
class _Target:
    """What is run: its kind, its last file, what a reader opens, the results it consists of."""

    kind: str
    last: Path
    opened: Path
    results: Callable[[], Iterable[Result]]


def _target(study: Study, name: str) -> _Target:
    if name not in study.config.slices and study.config.analyses:
        require_known("slice or analysis", name, {**study.config.slices, **study.config.analyses})
        of = AnalysisLayout(Path(study.config.results), name)
        return _Target("analysis", of.record, of.root, lambda: [analysis_result(study, of)])
    layout = layout_of(study, name)
    return _Target("slice", layout.report, layout.report, Standing(study, layout).results)


def _require_complete(name: str, results: Iterable[Result]) -> None:
    """Refuse to call complete what is in part not of today's configuration.

    Raises
    ------
    IntegrityError
        In one line: what, and why.
    """
    for result in results:
        why = result.differs() if result.there else "is missing"
        if why is not None:
            raise IntegrityError(
                f"{name} is not complete: {result.outputs[-1]}: {why}; run it again"
            )
