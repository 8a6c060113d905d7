"""The verb that holds models to the contract."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    ModelDeviceOption,
    ThreadsOption,
    cards_of,
    print_whole,
    say,
    study_if_any,
)
from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.registry.load import get_card

if TYPE_CHECKING:
    from matteralign.registry.card import ModelCard
    from matteralign.stages.checks.check_records import Checked

_FEW = 3


def check_model(
    keys: Annotated[list[str] | None, typer.Argument(help="Keys of model cards.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every card.")] = False,
    family: Annotated[str | None, typer.Option(help="Every card of a family.")] = None,
    environment: Annotated[str | None, typer.Option(help="Every card of an environment.")] = None,
    skip_passed: Annotated[
        bool, typer.Option(help="Skip models that passed with the current card, code and packages.")
    ] = False,
    details: Annotated[bool, typer.Option(help="Show every clause, also for many models.")] = False,
    threads: ThreadsOption = 1,
    processes: Annotated[
        int, typer.Option(min=1, help="Environments that are checked at once.")
    ] = 1,
    device: ModelDeviceOption = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Check models against the contract and print the results; exit with 1 if one fails.

    Models without weights run on their untrained network, and are labelled so. If it is
    interrupted, finished checks are kept, and --skip-passed continues from there.
    """
    from matteralign.stages.checks.check import check_models
    from matteralign.stages.checks.check_records import check_state, read_check, write_check

    cards = cards_of(study_if_any(config))
    chosen = _chosen(cards.values(), keys or [], every, family, environment)
    results: dict[str, Checked] = {}
    for card in chosen:
        earlier = read_check(card) if skip_passed else None
        if earlier is not None and check_state(card, earlier) == "pass":
            results[card.key] = earlier
    waiting = [card for card in chosen if card.key not in results]
    if results:
        say(f"{len(results)} of {len(chosen)} passed before and have not changed")

    def finished(checked: Checked) -> None:
        results[checked.model] = checked
        write_check(checked)
        told = "pass" if checked.passed else "FAIL"
        say(
            f"[{len(results)} of {len(chosen)}] {checked.model}: {told} "
            f"({checked.weights}, {checked.seconds:.1f} s)"
        )

    # A scheduler's signal ends it as ctrl-C does: workers stop, finished checks are kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        check_models(
            waiting,
            done=finished,
            report=say,
            threads=threads,
            processes=processes,
            device=device,
        )
    except KeyboardInterrupt:
        say("interrupted: finished checks are kept; --skip-passed continues from there")
        raise
    ordered = [results[card.key] for card in chosen]
    if as_json:
        typer.echo(json.dumps([asdict(c) | {"passed": c.passed} for c in ordered], indent=1))
    else:
        _print(ordered, cards, details=details or len(chosen) <= _FEW, every=every)
    if not all(checked.passed for checked in ordered):
        raise typer.Exit(1)


def _print(
    results: Sequence[Checked], cards: Mapping[str, ModelCard], *, details: bool, every: bool
) -> None:
    from rich.console import Console

    from matteralign.cli.shared.check_table import clause_table, summary_table, totals

    console = Console(highlight=False)
    if not details:
        print_whole(summary_table(results))
    for checked in results:
        if details or not checked.passed:
            console.print()
            console.print(clause_table(checked, only_failed=not details))
    console.print()
    for line in totals(results, cards, every):
        console.print(line)


def _chosen(
    cards: Iterable[ModelCard],
    keys: Sequence[str],
    every: bool,
    family: str | None,
    environment: str | None,
) -> list[ModelCard]:
    known = {card.key: card for card in cards}
    for what, name, names in (
        ("family", family, {card.family for card in known.values()}),
        ("environment", environment, {card.environment for card in known.values()}),
    ):
        if name is not None and name not in names:
            raise UserError(unknown(what, name, names))
    for key in keys:
        get_card(key, known)
    if not (keys or every or family or environment):
        raise UserError("name models, or --all, --family or --environment")
    return [
        card
        for card in known.values()
        if (not keys or card.key in keys)
        and family in (None, card.family)
        and environment in (None, card.environment)
    ]
