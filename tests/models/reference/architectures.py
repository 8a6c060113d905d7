"""Build the untrained network of each card twice, load it by its wrapper, try its contract.

Where a script ``<wrapper>_package.py`` lies beside this one, its `deviations` says how far the
wrapper is from what the model's own package gives for the same file.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
from ase.build import bulk, molecule

from matteralign.models.contract import check_contract, relative_deviation
from matteralign.models.jobs import build_and_load
from matteralign.models.torch_setup import prepare_environment
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

cards = [ModelCard.model_validate(raw) for raw in json.loads(Path(sys.argv[1]).read_text())]
folder = Path(sys.argv[2])
prepare_environment(1, folder / "scratch")


def structures() -> list[Structure]:
    made = {name: molecule(name) for name in ("CH3CH2OH", "C6H6", "H2O")}
    made["NaCl"] = bulk("NaCl", "rocksalt", a=5.64)
    made["NaCl"].positions += np.random.default_rng(0).normal(0, 0.05, (2, 3))
    smiles = {"CH3CH2OH": "CCO", "C6H6": "c1ccccc1", "H2O": "O", "NaCl": "[Na+].[Cl-]"}
    selfies = {
        "CH3CH2OH": "[C][C][O]", "H2O": "[O]", "C6H6": "[C][=C][C][=C][C][=C][Ring1][=Branch1]",
    }  # fmt: skip
    return [
        Structure(
            name, atoms.numbers.astype(np.uint8), atoms.positions,
            np.array(atoms.cell), np.array(atoms.pbc), smiles=smiles[name],
            selfies=selfies.get(name),
        )
        for name, atoms in made.items()
    ]  # fmt: skip


report = {}
seen: set[str] = set()
here = Path(__file__).parent
for card in cards:
    kept = []
    # What is random is the package's; one network of each wrapper shows that it is seeded.
    for time in ("first", "second") if card.wrapper not in seen else ("first",):
        where = folder / card.key / time
        where.mkdir(parents=True)
        wrapper, files = build_and_load(card, where, threads=1)
        taken = [s for s in structures() if wrapper.refuse(s) is None]
        kept.append(wrapper.embed(taken).latents)
    seen.add(card.wrapper)
    report[card.key] = {
        "weights": wrapper.card.checkpoint.weights,
        "checks": check_contract(wrapper, structures()),
        "again": relative_deviation(kept[0], kept[-1]),
        "package": {},
    }
    if (here / f"{card.wrapper}_package.py").exists():
        package = importlib.import_module(f"{card.wrapper}_package")
        path = where / card.checkpoint.files[0].name
        report[card.key]["package"] = package.deviations(wrapper, path, taken)
print(json.dumps(report))
