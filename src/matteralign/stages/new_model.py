"""Draft a card: what the family says, what the user adds, what the network itself tells."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matteralign.core.errors import UserError
from matteralign.core.files import read_json
from matteralign.core.suggest import unknown
from matteralign.core.validation import validated
from matteralign.datasets.examples import examples
from matteralign.registry.card import ModelCard
from matteralign.stages.runtime.launch import run_worker
from matteralign.store.structures import write_structures

# What is the model's own and no other card's business.
_OWN = (
    "name", "training_sets", "functional", "functional_note", "study_row", "printed",
    "parameters", "checkpoint", "reference",
)  # fmt: skip
UNSTATED = "not stated"


def template_of(cards: Mapping[str, ModelCard], family: str) -> ModelCard:
    """Return the first card of a family; a new card copies its wrapper, layer and claims.

    Raises
    ------
    UserError
        If there is no such family.
    """
    for card in cards.values():
        if card.family == family:
            return card
    raise UserError(
        unknown("family", family, {card.family for card in cards.values()})
        + " A family of its own starts with --new-family"
    )


def drafted(template: ModelCard, fields: Mapping[str, Any]) -> ModelCard:
    """Return a card with the family's fields of `template` and the model's own `fields`.

    Raises
    ------
    UserError
        If a value is not one for its field.
    """
    shared = template.model_dump(mode="json", exclude_defaults=True)
    for name in _OWN:
        shared.pop(name, None)
    checkpoint = {
        "weights": "trained",
        "licence": UNSTATED,
        "executes_code": template.checkpoint.executes_code,
    }
    own = {"parameters": {"measured": 0}, "reference": UNSTATED}
    given = {name: value for name, value in fields.items() if value is not None}
    given["checkpoint"] = checkpoint | dict(given.get("checkpoint", {}))
    return validated(ModelCard, shared | own | given)


def measured(
    card: ModelCard, files: Mapping[str, Path], report: Callable[[str], None]
) -> ModelCard:
    """Load the checkpoint in its environment; return the card with its count and width.

    Raises
    ------
    MatterAlignError
        If the wrapper cannot load it; the worker has said why.
    """
    with tempfile.TemporaryDirectory(prefix="matteralign-") as folder:
        structures, result = Path(folder) / "structures.parquet", Path(folder) / "found.json"
        write_structures(structures, examples(card), slice_name="new", dataset="examples")
        run_worker(
            "measure",
            card,
            files=files,
            threads=1,
            device="cpu",
            report=report,
            structures=structures,
            result=result,
        )
        found = read_json(result)
    count = card.parameters.model_copy(update={"measured": found["parameters"]})
    latent = card.latent.model_copy(update={"dim": found["dim"]})
    return card.model_copy(update={"parameters": count, "latent": latent})
