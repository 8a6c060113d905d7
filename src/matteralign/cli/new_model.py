"""The verb that starts a new model: its card, and for a new family its modules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from matteralign.cli.shared.common import DEFAULT_CONFIG, ConfigOption, say
from matteralign.core.errors import UserError
from matteralign.core.strict_yaml import parse_yaml, yaml_fault
from matteralign.core.suggest import require_known

if TYPE_CHECKING:
    from matteralign.registry.card import ModelCard


def new_model(
    key: Annotated[str, typer.Argument(help="Key of the new model: a-z, 0-9, - and dots.")],
    *,
    family: Annotated[
        str | None, typer.Option(help="A supported family, whose wrapper loads the checkpoint.")
    ] = None,
    like: Annotated[
        str | None, typer.Option(help="The card to start from, if a family has several kinds.")
    ] = None,
    new_family: Annotated[
        str | None, typer.Option(help="Start a family: wrapper, untrained network, test and card.")
    ] = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="Weights file on this machine; hashed, not moved.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Address of the weights file for others (one file).")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="Folder of the card; default: the first of `cards:`.")
    ] = None,
    builtin: Annotated[
        bool, typer.Option("--builtin", help="Write it to the cards of the package.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Display name.")] = None,
    licence: Annotated[str | None, typer.Option(help="Of the weights.")] = None,
    reference: Annotated[str | None, typer.Option(help="Paper to cite.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Architecture group, such as MACE, or own:NAME.")
    ] = None,
    training_set: Annotated[
        list[str] | None, typer.Option(help="What it was trained on, such as MPTrj, or own:NAME.")
    ] = None,
    functional: Annotated[
        str | None,
        typer.Option(help="Level of theory of the training data, such as PBE_MP, or own:NAME."),
    ] = None,
    elements: Annotated[
        str | None, typer.Option(help="Atomic numbers it supports, such as 1-9,15-17.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="Option of the wrapper as NAME=VALUE (YAML).")
    ] = None,
    parameters: Annotated[
        int | None,
        typer.Option(min=0, help="Number of parameters; measured if a checkpoint is given."),
    ] = None,
    environment: Annotated[
        str, typer.Option(help="Environment of a new family, in envs/.")
    ] = "main",
    modality: Annotated[
        str, typer.Option(help="What a new family reads: 3d, smiles, selfies or sequence.")
    ] = "3d",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write the card of a new model, and for a new family the first version of its modules.

    A checkpoint is loaded once: the card says how many parameters and how wide a latent it has.
    """
    from matteralign.registry.load import BUILTIN, get_card, next_index
    from matteralign.registry.new_card import pinned_file, write_card
    from matteralign.stages.new_model import drafted, measured, template_of

    if sum(given is not None for given in (family, like, new_family)) != 1:
        raise UserError("name one of --family, --like and --new-family")
    if not checkpoint and url is None:
        raise UserError("name where the weights are: --checkpoint, --url or both")
    if not checkpoint and parameters is None and new_family is None:
        raise UserError("without --checkpoint the parameters cannot be counted: give --parameters")
    builtin = builtin or new_family is not None
    folder, cards = _place(config, into, builtin)
    if key in cards:
        raise UserError(f"model {key!r} is there already; choose another key")
    files = [pinned_file(path, url=url) for path in checkpoint or []]
    if not files:
        files = [{"name": str(url).rsplit("/", 1)[-1], "sources": [{"url": url}]}]
    fields: dict[str, Any] = {
        "key": key,
        "index": next_index(cards.values(), own=not builtin),
        "name": name or key,
        "group": group,
        "training_sets": training_set,
        "functional": functional,
        "reference": reference,
    }
    about: dict[str, Any] = {"files": files}
    if licence is not None:
        about["licence"] = licence
    if new_family is not None:
        card = _start_family(fields, about, new_family, modality, environment)
        folder = BUILTIN / new_family
    else:
        template = get_card(like, cards) if like else template_of(cards, str(family))
        options = template.options | dict(map(_option, option or []))
        accepts = template.accepts.model_dump() | ({"elements": elements} if elements else {})
        count = None if parameters is None else {"measured": parameters}
        fields |= {"options": options, "accepts": accepts, "parameters": count}
        card = drafted(template, fields | {"checkpoint": about})
        if checkpoint:
            paths = {path.name: path.resolve() for path in checkpoint}
            card = measured(card, paths, say)
        folder = BUILTIN / card.family if builtin else folder
    typer.echo(write_card(card, folder))
    _say_next(card, folder, builtin)


def _start_family(
    fields: dict[str, Any], about: dict[str, Any], family: str, modality: str, environment: str
) -> ModelCard:
    """Write the modules of a family and return the card of its first model."""
    from matteralign.core.validation import validated
    from matteralign.registry.card import ModelCard
    from matteralign.registry.environments import get_environment
    from matteralign.registry.new_family import PARAMETERS, READS, WIDTH, write_family
    from matteralign.stages.new_model import UNSTATED

    require_known("modality", modality, READS)
    get_environment(environment)
    seen = "invariant" if modality == "3d" else "not applicable"
    pooled = {"3d": "atoms", "sequence": "residues"}.get(modality, "tokens")
    fields = {
        "family": family,
        "wrapper": family.replace("-", "_"),
        "environment": environment,
        "modality": modality,
        "architecture": UNSTATED,
        "embedding": "invariant" if modality == "3d" else "vanilla",
        "parameters": {"measured": PARAMETERS},
        "checkpoint": {
            "weights": "trained",
            "licence": UNSTATED,
            "stand_in": {"seed": fields["index"]},
        }
        | about,
        "latent": {
            "layer": UNSTATED,
            "documented": UNSTATED,
            "pooling": f"mean over {pooled}",
            "dim": WIDTH,
        },
        "accepts": {"needs": READS[modality][0]},
        "claims": {"rotation": seen, "translation": seen},
        "reference": UNSTATED,
    } | {name: value for name, value in fields.items() if value is not None}
    card = validated(ModelCard, fields)
    for path in write_family(family, modality, card.key):
        typer.echo(path)
    return card


def _place(config: Path, into: Path | None, builtin: bool) -> tuple[Path, dict[str, ModelCard]]:
    """Return the folder of the card and every card there is, before the folder exists."""
    from matteralign.config.load import load_config
    from matteralign.config.schema import StudyConfig
    from matteralign.registry.load import BUILTIN, load_cards

    missing = config == DEFAULT_CONFIG and not config.exists()
    named = [Path(f) for f in (StudyConfig() if missing else load_config(config)).cards]
    cards = load_cards(tuple(folder for folder in named if folder.is_dir()))
    if builtin:
        return BUILTIN, cards
    if into is None and not named:
        raise UserError(
            f"{config}: names no folder of cards; add `cards: [my-cards]` to it, or name --into"
        )
    folder = into or named[0]
    if folder not in named:
        say(f"add this folder to {config}, or its cards are not read: cards: [{folder}]")
    return folder, cards


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--option {text!r}: write NAME=VALUE")
    try:
        return name, parse_yaml(value)
    except yaml.YAMLError as error:
        raise UserError(f"--option {text!r}: no value of YAML: {yaml_fault(error)}") from error


def _say_next(card: ModelCard, folder: Path, builtin: bool) -> None:
    from matteralign.stages.new_model import UNSTATED

    blank = [
        name
        for name, value in (
            ("architecture", card.architecture),
            ("checkpoint.licence", card.checkpoint.licence),
            ("latent.layer", card.latent.layer),
            ("reference", card.reference),
            ("training_sets", card.training_sets or UNSTATED),
        )
        if value == UNSTATED
    ]
    if blank:
        say(f"still to be filled in: {', '.join(blank)}")
    say(f"next: matteralign check-model {card.key}; then add {card.key} to the panel of a slice")
