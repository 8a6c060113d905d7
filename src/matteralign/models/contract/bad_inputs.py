"""Structures that must become masked rows, made from one that the model takes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from matteralign.models.base.wrapper import Wrapper
from matteralign.models.contract.clauses import (
    Check,
    bound,
    not_applicable,
    relative_deviation,
    yes,
)
from matteralign.models.extraction.extract import Extracted, extract
from matteralign.registry.card import Accepts
from matteralign.store.structures import Structure

LONG = 2000
"""Residues or carbon atoms of the long chain."""

_READ_AS_TOKENS = ("smiles", "selfies", "text", "sequence", "backbone")
_MEANINGLESS = {
    "wrong element": "the card takes every element",
    "unknown token": "the model reads no tokens",
    "chain of 2,000": "the model reads no chain",
}
_FAULTS = ("model_error", "non_finite")


def check_bad_inputs(
    wrapper: Wrapper, good: Sequence[Structure], latents: npt.NDArray[np.float32]
) -> list[Check]:
    """Embed broken structures beside `good` ones, by the code that embeds a slice.

    A broken structure must be masked with a reason of its own, or be one whose broken part
    the model does not read, which shows in an unchanged latent. An exception of the model's
    package is no reason. The good rows beside it must stay what they are.

    Parameters
    ----------
    good
        Structures that the model takes; the first is the one that is broken.
    latents
        Their latents, shape (n, d).
    """
    accepts = wrapper.card.accepts
    if accepts.needs == "nothing":
        return [not_applicable("bad inputs", "the model takes anything")]
    bad = {name: s for name, s in broken(good[0], accepts).items() if s}
    structures = [*good, *(s for several in bad.values() for s in several)]
    with tempfile.TemporaryDirectory(prefix="matteralign-") as folder:
        found = extract(wrapper, structures, shards=Path(folder), identity="bad inputs")
    rows = iter(range(len(good), len(structures)))
    checks = [
        _clause(wrapper, name, [next(rows) for _ in several], found, latents[0])
        for name, several in bad.items()
    ]
    checks += [
        not_applicable(name, _MEANINGLESS[name])
        for name, several in broken(good[0], accepts).items()
        if not several
    ]
    beside = relative_deviation(latents, found.latents[: len(good)])
    checks.append(bound("rows beside bad inputs", beside, wrapper.card.claims.tolerance))
    return checks


def broken(structure: Structure, accepts: Accepts) -> Mapping[str, list[Structure]]:
    """Return broken structures by name of the fault; none where the fault means nothing."""
    return {
        "empty structure": [_empty()],
        "wrong element": _wrong_element(structure, accepts),
        "coordinate not a number": [_no_number(structure)],
        "cell of zero volume": [_flat(structure)],
        "unknown token": _unknown_tokens(structure, accepts),
        "chain of 2,000": _long(structure, accepts),
    }


def _clause(
    wrapper: Wrapper,
    name: str,
    rows: Sequence[int],
    found: Extracted,
    whole: npt.NDArray[np.float32],
) -> Check:
    masked = {m.row: m for m in found.masked if m.row in rows}
    for mask in masked.values():
        if mask.code in _FAULTS:
            return yes(name, False, f"{mask.code}: {mask.reason}")
    if len(masked) == len(rows):
        first = masked[rows[0]]
        return yes(name, True, f"masked, {first.code}: {first.reason}")
    if name == "chain of 2,000":
        return yes(name, True, "taken whole")
    taken = [found.latents[row] for row in rows if row not in masked]
    unread = max(relative_deviation(whole[None], row[None]) for row in taken)
    if unread <= wrapper.card.claims.tolerance:
        return bound(name, unread, wrapper.card.claims.tolerance, "not read: latent unchanged")
    if name == "unknown token" and len(taken) == 2:
        apart = relative_deviation(taken[0][None], taken[1][None])
        told = "taken, and told apart" if apart else "two unknown tokens are one to the model"
        return Check(name, "pass" if apart else "fail", apart, None, told)
    return Check(name, "fail", unread, None, "neither masked nor without effect on the latent")


def _empty() -> Structure:
    return Structure(
        "empty", np.empty(0, np.uint8), np.empty((0, 3)),
        smiles="", selfies="", sequence="", backbone=np.empty((0, 4, 3)),
    )  # fmt: skip


def _wrong_element(structure: Structure, accepts: Accepts) -> list[Structure]:
    allowed = accepts.element_set()
    if allowed is None or allowed >= set(range(1, 119)) or not structure.n_atoms:
        return []
    numbers = structure.numbers.copy()
    numbers[0] = max(set(range(1, 119)) - allowed)
    return [replace(_named(structure, "element"), numbers=numbers)]


def _no_number(structure: Structure) -> Structure:
    positions = structure.positions.copy()
    positions[:1] = np.nan
    backbone = None if structure.backbone is None else np.full_like(structure.backbone, np.nan)
    return replace(_named(structure, "nan"), positions=positions, backbone=backbone)


def _flat(structure: Structure) -> Structure:
    cell = np.diag([20.0, 20.0, 0.0])
    return replace(_named(structure, "flat"), cell=cell, pbc=np.ones(3, bool))


def _unknown_tokens(structure: Structure, accepts: Accepts) -> list[Structure]:
    if accepts.needs not in _READ_AS_TOKENS:
        return []
    made = []
    for element, residue in (("Lv", "?"), ("Md", "!")):
        changed = _named(structure, element)
        if structure.smiles is not None:
            changed = replace(changed, smiles=f"{structure.smiles}.[{element}]")
        if structure.selfies is not None:
            changed = replace(changed, selfies=f"{structure.selfies}[{element}]")
        if structure.sequence is not None:
            changed = replace(changed, sequence=structure.sequence[:-1] + residue)
        made.append(changed)
    return made


def _long(structure: Structure, accepts: Accepts) -> list[Structure]:
    if accepts.needs not in _READ_AS_TOKENS:
        return []
    if structure.sequence is None or structure.backbone is None:
        zigzag = np.column_stack([1.26 * np.arange(LONG), np.arange(LONG) % 2, np.zeros(LONG)])
        numbers = np.full(LONG, 6, np.uint8)
        return [Structure("long", numbers, zigzag, smiles="C" * LONG, selfies="[C]" * LONG)]
    length = len(structure.sequence)
    times = -(-LONG // length)
    extent = float(np.nanmax(structure.backbone) - np.nanmin(structure.backbone)) + 4.0
    steps = np.array([[extent * i, 0.0, 0.0] for i in range(times)])
    backbone = (structure.backbone[None] + steps[:, None, None, :]).reshape(-1, 4, 3)[:LONG]
    sequence = (structure.sequence * times)[:LONG]
    numbers = np.tile(np.array([7, 6, 6, 8], np.uint8), LONG)
    return [Structure("long", numbers, backbone.reshape(-1, 3), sequence=sequence,
                      backbone=backbone)]  # fmt: skip


def _named(structure: Structure, fault: str) -> Structure:
    return replace(structure, id=f"{structure.id} ({fault})")
