"""The verb about the study's prompts: what is here, and whether a file holds its words."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    cards_of,
    print_whole,
    study_if_any,
)
from matteralign.core.errors import MatterAlignError
from matteralign.core.files import atomic_path


def prompts(
    check: Annotated[
        Path | None,
        typer.Option(help="Check whether a file has the words of one of the study's prompts."),
    ] = None,
    use: Annotated[
        Path | None, typer.Option(help="Check a file and copy it into the cache, where it is used.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List the study's prompts and which words the chat models read; check prompt files.

    The words are printed in the paper (arXiv:2512.03750, appendices B.2 and B.3) and are not
    part of this program: copy them into plain text files.
    """
    from matteralign.models.prompts.study import check_words, default_folder
    from matteralign.registry.prompt_files import read_text_file

    path = check or use
    if path is None:
        _list(config)
        return
    found = check_words(read_text_file(path))
    if not found.good or found.piece is None:
        raise MatterAlignError(f"{path}: {found.told}")
    typer.echo(f"{path}: {found.told}")
    if use is not None:
        target = default_folder() / f"{found.piece}.txt"
        with atomic_path(target) as temporary:
            shutil.copyfile(path, temporary)
        typer.echo(f"copied to {target}")


def _list(config: Path) -> None:
    from rich.table import Table

    from matteralign.models.prompts.study import PIECES, default_folder, piece_files

    study = study_if_any(config)
    named = {k: Path(v) for k, v in study.config.prompts if v is not None} if study else {}
    files = piece_files(named)
    table = Table(box=None, header_style="bold")
    for column in ("piece", "is", "file"):
        table.add_column(column)
    for name, piece in PIECES.items():
        where = files.get(name, f"not here; would be {default_folder() / f'{name}.txt'}")
        table.add_row(name, piece.told, str(where))
    print_whole(table)
    typer.echo()
    for card in cards_of(study).values():
        if card.prompt is not None:
            typer.echo(f"{card.key}: prompt: {card.prompt.words}")
