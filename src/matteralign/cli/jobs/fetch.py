"""The verb that brings datasets and weights into the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from matteralign.cli.jobs.architecture import weights_record
from matteralign.cli.shared.common import DEFAULT_CONFIG, ConfigOption, OutOption, say, study_of
from matteralign.core.errors import MatterAlignError, UserError
from matteralign.core.files import write_json
from matteralign.core.weights import Weights
from matteralign.registry.card import ModelCard
from matteralign.sources.wanted import JOBS, Wanted
from matteralign.stages.study.study import Study


@dataclass(frozen=True)
class _Targets:
    """What is to be fetched: keys of models with how their weights may be replaced; datasets."""

    models: dict[str, Weights]
    datasets: list[str]

    def __len__(self) -> int:
        return len(self.models) + len(self.datasets)


def fetch(
    models: Annotated[
        list[str] | None,
        typer.Option("--models", "--model", help="Models whose weights to fetch."),
    ] = None,
    more: Annotated[list[str] | None, typer.Argument(metavar="[KEY]...", help="Models.")] = None,
    datasets: Annotated[
        list[str] | None, typer.Option("--dataset", "--datasets", help="Dataset to fetch.")
    ] = None,
    slices: Annotated[
        list[str] | None,
        typer.Option("--slice", help="Slice whose dataset and panel of models to fetch."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="The weights of every model.")] = False,
    weights: Annotated[
        Weights | None,
        typer.Option(help="Whether an untrained network may replace missing weights."),
    ] = None,
    accept: Annotated[
        str | None,
        typer.Option(help="Hash of a pickle that no card pins, as its authors publish it."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Files that are fetched at once.")] = JOBS,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Show what it would cost; fetch nothing.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Use only folders, never the network.")
    ] = False,
    out: OutOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Fetch datasets and weights into the cache, checked by hash; show the cost first."""
    from matteralign.sources.cost import cost_of
    from matteralign.sources.transfer.places import places
    from matteralign.sources.transfer.settings import go_offline, settings

    if offline:
        go_offline()
    study = study_of(config)
    targets = _targets(study, [*(models or []), *(more or [])], datasets, slices, every, weights)
    if accept is not None and (len(targets.models), len(targets.datasets)) != (1, 0):
        raise UserError("--accept is for the weights of one model: name it with --model")
    if out is not None and len(targets) != 1:
        raise UserError("--out writes the record of one model or dataset: name only one")
    wanted = _wanted(study, targets)
    cost = cost_of(wanted)
    say(cost.line())
    for name in targets.datasets:
        later = study.dataset(name).later
        if later is not None:
            say(f"{name}: size unknown, not included in these sums: {later}")
    if dry_run:
        for item in wanted:
            asked = [place.told for place in places(item.pinned, settings())]
            state = "here" if item.here() else (asked or ["nowhere while offline"])[0]
            typer.echo(f"{item.pinned.name}: {state}")
        return
    cost.refuse_full_disk()
    done = _fetch(study, targets, accept, jobs)
    if len(targets) == 1:
        (found,) = done.values()
        if isinstance(found, MatterAlignError):
            raise found
        if out is not None:
            write_json(out, found | {"asked": _asked(study, targets)})
        return
    _summarize(done)


def _targets(
    study: Study,
    keys: Sequence[str],
    datasets: Sequence[str] | None,
    slices: Sequence[str] | None,
    every: bool,
    weights: Weights | None,
) -> _Targets:
    from matteralign.registry.load import get_card

    chosen: dict[str, Weights] = {}
    sets = list(datasets or [])
    for name in slices or []:
        sets.append(study.slice(name).dataset)
        for card in study.panel(name):
            chosen[card.key] = weights or study.weights(name)
    for key in [*keys, *(study.cards if every else [])]:
        chosen.setdefault(get_card(key, study.cards).key, weights or "trained")
    for name in sets:
        study.dataset(name)
    if not chosen and not sets:
        raise UserError("name what to fetch: --models KEY ..., --all, --slice NAME, --dataset NAME")
    return _Targets(chosen, list(dict.fromkeys(sets)))


def _wanted(study: Study, targets: _Targets) -> list[Wanted]:
    found = [item for name in targets.datasets for item in study.dataset(name).wanted()]
    for key in targets.models:
        checkpoint = study.cards[key].checkpoint
        if checkpoint.weights == "trained":
            found += [Wanted(pinned) for pinned in checkpoint.files]
    return list(dict.fromkeys(found))


def _fetch(
    study: Study, targets: _Targets, accept: str | None, jobs: int
) -> dict[str, dict[str, object] | MatterAlignError]:
    """Return for each target its record, or the error that says why it is not here."""
    from matteralign.stages.runtime.weights import fetch_many, fetch_weights

    cards = [study.cards[key] for key in targets.models]
    for card in cards:
        if card.checkpoint.restricted:
            say(f"licence of {card.key}: {card.checkpoint.licence}. {card.checkpoint.restricted}")
    done: dict[str, dict[str, object] | MatterAlignError] = {}
    for name in targets.datasets:
        try:
            done[name] = study.dataset(name).record(say, jobs)
        except MatterAlignError as error:
            done[name] = error
    if accept is not None:
        card = cards[0]
        done[card.key] = _model_record(fetch_weights(card, targets.models[card.key], say, accept))
        return done
    for key, found in fetch_many(cards, targets.models, say, jobs).items():
        done[key] = found if isinstance(found, MatterAlignError) else _model_record(found)
    return done


def _model_record(card: ModelCard) -> dict[str, object]:
    files = {p.name: {"sha256": p.sha256, "size": p.size} for p in card.checkpoint.files}
    return weights_record(card) | {"files": files}


def _asked(study: Study, targets: _Targets) -> dict[str, object]:
    """Return what decides the record of the one model or dataset that was named."""
    for key, weights in targets.models.items():
        return study.weights_identity(key, weights)
    return study.dataset_identity(targets.datasets[0])


def _summarize(done: dict[str, dict[str, object] | MatterAlignError]) -> None:
    """Print one line for each target; fail when one is missing."""
    width = max(map(len, done))
    missing = 0
    for name, found in done.items():
        if isinstance(found, MatterAlignError):
            missing += 1
            say(f"\n{name}: {found}")
            typer.echo(f"{name:{width}}  missing")
        else:
            typer.echo(f"{name:{width}}  {found.get('weights', 'data')}")
    if missing:
        raise MatterAlignError(
            f"{missing} of {len(done)} could not be fetched; the others are here"
        )
