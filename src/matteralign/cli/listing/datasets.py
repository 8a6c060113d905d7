"""The verb that lists the datasets: versions, rows, files, licence."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from matteralign.cli.shared.common import DEFAULT_CONFIG, ConfigOption, print_whole, study_if_any

NONE = "–"


def datasets(
    as_json: Annotated[bool, typer.Option("--json", help="Print the cards as JSON.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List the datasets that a slice can use, and how many of their files are here.

    A key without a version means the version marked *.
    """
    from matteralign.datasets.base.card import SEPARATOR
    from matteralign.datasets.base.catalogue import get_dataset, load_datasets

    cards = load_datasets()
    if as_json:
        listed = [card.model_dump(mode="json", exclude_none=True) for card in cards.values()]
        typer.echo(json.dumps(listed, indent=1, ensure_ascii=False))
        return
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    table.add_column("dataset", no_wrap=True)
    for head in ("rows", "files", "here"):
        table.add_column(head, justify="right")
    for head in ("licence", "what it is"):
        table.add_column(head)
    for card in cards.values():
        for name, version in card.versions.items():
            wanted = get_dataset(f"{card.key}{SEPARATOR}{name}").wanted()
            table.add_row(
                f"{card.key}{SEPARATOR}{name}{' *' if name == card.default else ''}",
                NONE if version.rows is None else f"{version.rows:,}",
                str(len(wanted)),
                str(sum(item.here() for item in wanted)),
                card.licence,
                f"{card.title}: {version.about}",
            )
    study = study_if_any(config)
    for name, section in study.config.datasets.items() if study else ():
        told = section.title or f"of the configuration, kind {section.kind}"
        table.add_row(name, NONE, NONE, NONE, section.licence, told)
    print_whole(table)
