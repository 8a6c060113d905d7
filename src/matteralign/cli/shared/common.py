"""What every verb shares: the options, the study, the report line."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matteralign.config.load import load_config
from matteralign.config.schema import StudyConfig
from matteralign.core.errors import UserError
from matteralign.registry.card import ModelCard
from matteralign.registry.load import load_cards
from matteralign.sources.transfer.settings import use_mirrors
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.study import Study, missing_folders, open_study, with_words

if TYPE_CHECKING:
    from rich.table import Table

    from matteralign.report.slice_view import SliceView

CONFIG_VARIABLE = "MATTERALIGN_CONFIG"

ConfigOption = Annotated[
    Path,
    typer.Option("--config", "-c", envvar=CONFIG_VARIABLE, help="Configuration of the study."),
]
SliceArgument = Annotated[str, typer.Argument(help="Slice of the configuration.")]
ModelArgument = Annotated[str, typer.Argument(help="Key of a model card.")]


def _known_device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise UserError(f"unknown device {name!r}; choose cpu, cuda, cuda:N or auto")
    return name


ModelDeviceOption = Annotated[
    str, typer.Option("--device", callback=_known_device, help="cpu, cuda, cuda:N or auto.")
]
OutOption = Annotated[Path | None, typer.Option(help="File for the record (JSON).")]
ThreadsOption = Annotated[int, typer.Option(min=1, help="Threads to use.")]

DEFAULT_CONFIG = Path("config.yaml")


def study_of(config: Path) -> Study:
    """Read and check the configuration; its mirrors count from here on."""
    return open_study(_read(config))


def _read(config: Path) -> StudyConfig:
    found = load_config(config)
    use_mirrors(found.mirrors)
    return found


def study_if_any(config: Path) -> Study | None:
    """Return the study, for a verb that no slice depends on.

    None where no configuration was named and none lies here. A folder of cards that does not
    exist yet is said, and has no cards.
    """
    if config == DEFAULT_CONFIG and not config.exists():
        return None
    found = _read(config)
    missing = missing_folders(found)
    for folder in missing:
        say(f"warning: {config}: cards: folder {folder!r} does not exist yet; it has no cards")
    there = [folder for folder in found.cards if folder not in missing]
    return open_study(found.model_copy(update={"cards": there}))


def cards_of(study: Study | None) -> Mapping[str, ModelCard]:
    """Return every card: those of the package and, where there is a study, its own."""
    return with_words(load_cards(), {}) if study is None else study.cards


def layout_of(study: Study, slice_name: str) -> Layout:
    """Return the paths of a slice, after checking that the slice exists."""
    study.slice(slice_name)
    return Layout(Path(study.config.results), slice_name)


def view_of(slice_name: str, config: Path) -> SliceView:
    """Return what is shown of a slice.

    Raises
    ------
    IntegrityError
        If its structures, latents or scores are not of today's configuration.
    """
    from matteralign.stages.study.standing import require_today

    study = study_of(config)
    layout = layout_of(study, slice_name)
    require_today(study, layout)
    from matteralign.report.slice_view import SliceView

    return SliceView(study, layout)


def put_program_on_path() -> None:
    """Let the rules, which call ``matteralign`` by name, find the one of this interpreter.

    The user need not activate an environment, and no other installation is called.
    """
    beside = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([beside, os.environ.get("PATH", os.defpath)])


def say(line: str) -> None:
    """Print one line of progress to stderr; stdout stays for results."""
    typer.echo(line, err=True)


def print_whole(table: Table) -> None:
    """Print a table with nothing cut or folded: keys are to be copied, pipes have no width."""
    from rich.console import Console
    from rich.measure import Measurement

    console = Console(highlight=False)
    roomy = console.options.update(max_width=10_000)
    console.width = max(console.width, Measurement.get(console, roomy, table).maximum)
    console.print(table)
