"""The verb that lists the models: rows of the study, weights, parameters, last check."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    cards_of,
    print_whole,
    study_if_any,
)

if TYPE_CHECKING:
    from matteralign.registry.card import ModelCard, Parameters

NONE = "–"


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List the model cards, which weights are on this machine, and the last check.

    The column `weights` says what is on this machine: real, the trained weights; architecture, an
    untrained network; missing, neither; none, the model has no weights. The column `hash from` says
    what the weights are checked against: the card, your lock, or the hash of the first download.
    """
    from matteralign.registry.load import STUDY_ROWS
    from matteralign.stages.runtime.weights import weights_state

    cards = list(cards_of(study_if_any(config)).values())
    if as_json:
        listed = [
            card.model_dump(mode="json")
            | {
                "here": weights_state(card),
                "hash_from": card.checkpoint.hash_from(),
                "check": last_check(card),
            }
            for card in cards
        ]
        typer.echo(json.dumps(listed, indent=1))
        return
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    table.add_column("index", justify="right")
    table.add_column("model", no_wrap=True)
    for name in ("row of the study", "environment", "weights", "hash from"):
        table.add_column(name)
    for name in ("parameters", "in the study"):
        table.add_column(name, justify="right")
    table.add_column("last check")
    for card in cards:
        table.add_row(
            str(card.index),
            card.key,
            card.study_row or NONE,
            card.environment,
            weights_state(card),
            card.checkpoint.hash_from() or NONE,
            f"{card.parameters.measured:,}",
            _printed(card.parameters),
            _told(last_check(card)),
        )
    print_whole(table)
    rows = sum(card.study_row is not None for card in cards)
    typer.echo(f"\n{rows} of {STUDY_ROWS} rows of the study, {len(cards) - rows} extras")


def last_check(card: ModelCard) -> dict[str, Any]:
    """Return what `check-model` last found of a model, as plain values."""
    from matteralign.stages.checks.check_records import check_state, read_check

    found = read_check(card)
    described: dict[str, Any] = {"state": check_state(card, found)}
    if found is not None:
        described |= {
            "date": found.date,
            "weights": found.weights,
            "seconds": found.seconds,
            "failed": [c["check"] for c in found.checks if c["status"] == "fail"],
        }
    return described


def _printed(parameters: Parameters) -> str:
    """Return the study's count; marked where the loaded network has another."""
    if parameters.study is None:
        return NONE
    return f"{parameters.study:,}" + ("" if parameters.study == parameters.measured else " ≠")


def _told(check: dict[str, Any]) -> str:
    if check["state"] == "never":
        return NONE
    untrained = ", untrained" if check["weights"] == "untrained" else ""
    return f"{check['state']} {check['date'][:10]}{untrained}"
