"""What a user calls for one structure, as each package documents it, with its defaults.

Potentials compute forces, and stresses where they have them: their calculators always do. The
networks are loaded once, before the clock starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

Calls = Callable[[Sequence[Any]], None]
"""Takes structures, and goes over them one by one."""


def mace(wrapper: Any) -> Calls:
    """``MACECalculator.get_descriptors``."""
    from matteralign.models.inputs.atoms import to_atoms

    def calls(structures: Sequence[Any]) -> None:
        for s in structures:
            wrapper._calculator.get_descriptors(to_atoms(s))

    return calls


def calculator(wrapper: Any) -> Calls:
    """``get_potential_energy`` with the package's ASE calculator: it has no call for features."""
    from matteralign.models.inputs.atoms import to_atoms

    package = wrapper._reference

    def calls(structures: Sequence[Any]) -> None:
        for s in structures:
            atoms = to_atoms(s)
            atoms.calc = package
            atoms.get_potential_energy()

    return calls


def chgnet(wrapper: Any) -> Calls:
    """``CHGNet.predict_structure``."""

    def calls(structures: Sequence[Any]) -> None:
        for s in structures:
            wrapper._model.predict_structure(wrapper.crystal(s), return_crystal_feas=True)

    return calls


def huggingface(wrapper: Any) -> Calls:
    """``RXNBERTFingerprintGenerator.convert``, line by line: its package pins scipy 1.4."""
    tokenizer, model = wrapper._tokenizer, wrapper.model

    def calls(structures: Sequence[Any]) -> None:
        for s in structures:
            ids = torch.tensor([tokenizer.encode(s.smiles)])
            with torch.no_grad():
                output = model(input_ids=ids, attention_mask=torch.ones_like(ids))
            output["last_hidden_state"].squeeze()[0].cpu().numpy().tolist()

    return calls


CALLS: dict[str, Callable[[Any], Calls]] = {
    "mace": mace, "sevennet": calculator, "chgnet": chgnet, "orb": calculator,
    "huggingface": huggingface,
}  # fmt: skip
