"""The verbs about weights: pin what was downloaded."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matteralign.cli.shared.common import DEFAULT_CONFIG, ConfigOption, cards_of, say, study_if_any
from matteralign.core.errors import UserError

if TYPE_CHECKING:
    from matteralign.registry.card import ModelCard
    from matteralign.registry.lock import LockedFile

weights_app = typer.Typer(help="Pin the weights that were downloaded.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.add_typer(weights_app, name="weights")


@weights_app.callback()
def _group() -> None:
    """Pin the weights that were downloaded."""


@weights_app.command()
def pin(
    keys: Annotated[list[str] | None, typer.Argument(metavar="[KEY]...", help="Models.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every model whose trained weights are here.")
    ] = False,
    lock: Annotated[
        Path | None,
        typer.Option(help="The lock; default: that of the configuration, or the one beside it."),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write the hash of every file of these models' weights into a lock.

    From then on other files are refused, here and wherever the lock is used. The lock is beside
    the configuration, or where its key `weights_lock` says.
    """
    from matteralign.config.load import LOCK_NAME
    from matteralign.registry.load import get_card
    from matteralign.registry.lock import read_lock, write_lock
    from matteralign.stages.runtime.weights import weights_state

    study = study_if_any(config)
    cards = cards_of(study)
    named = study.config.weights_lock if study else None
    path = lock or (Path(named) if named else config.parent / LOCK_NAME)
    chosen = [get_card(key, cards) for key in keys or []]
    if every:
        chosen = [card for card in cards.values() if weights_state(card) == "real"]
    if not chosen:
        raise UserError("name what to pin: models whose weights were fetched, or --all")
    entries = {(e.model, e.file): e for e in (read_lock(path).files if path.exists() else [])}
    for card in chosen:
        for entry in _seen(card):
            old = entries.get((entry.model, entry.file))
            if old is not None and old.sha256 != entry.sha256:
                raise UserError(
                    f"{path}: {entry.file} of {entry.model} is locked with sha256 {old.sha256}, "
                    f"here it has {entry.sha256}; delete the entry if the new file is right"
                )
            if old is not None and old.size != entry.size:
                raise UserError(
                    f"{path}: {entry.file} of {entry.model} is locked with size {old.size}, the "
                    f"file of this sha256 has {entry.size}; correct the entry"
                )
            entries.setdefault((entry.model, entry.file), entry)
            say(f"{entry.model}: {entry.file} {entry.sha256}")
    write_lock(path, entries.values())
    typer.echo(path)


def _seen(card: ModelCard) -> list[LockedFile]:
    """Return the entries of a model whose files are here, each hashed now."""
    from matteralign.registry.lock import LockedFile
    from matteralign.sources.cache import cached_path, verify
    from matteralign.sources.transfer.places import told_source
    from matteralign.stages.runtime.weights import as_fetched, weights_state

    state = weights_state(card)
    if state == "none":
        raise UserError(f"{card.key}: has no weights, so there is nothing to pin")
    if card.checkpoint.weights != "trained":
        raise UserError(f"{card.key}: its network is built here, untrained; nothing to pin")
    if state != "real":
        raise UserError(
            f"{card.key}: its weights are not here; fetch them first: "
            f"matteralign fetch --model {card.key}"
        )
    entries = []
    for pinned in as_fetched(card).checkpoint.files:
        path = cached_path(pinned)
        verify(path, pinned)
        entries.append(
            LockedFile(
                model=card.key,
                file=pinned.name,
                sha256=pinned.sha256 or "",
                size=path.stat().st_size,
                source=told_source(pinned.sources[0]),
                date=datetime.now(UTC).date().isoformat(),
            )
        )
    return entries
