"""Try protein models in their environment: contract, agreement with others' code, bad chains.

``python proteins.py JOB.json FOLDER``: the job lists cards, with the files of those that are
to run on their trained weights; the others are built. Chains are those of the job's
``structures``, or ideal ones.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import own
import peptides

from matteralign.datasets.proteins.peptides import peptide
from matteralign.models.base.torch_setup import prepare_environment
from matteralign.models.contract.clauses import relative_deviation
from matteralign.models.contract.contract import check_contract
from matteralign.models.running.jobs import build_and_load, load_wrapper
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure, read_structures

job = json.loads(Path(sys.argv[1]).read_text())
folder = Path(sys.argv[2])
prepare_environment(1, folder / "scratch")
chains = peptides.chains()
if job.get("structures"):
    chains = list(read_structures(job["structures"]).structures)


def bad_chains() -> dict[str, Structure]:
    """Return chains with a fault each, and some that look faulty and are not."""
    good = peptide(12, 9)
    assert good.sequence is not None and good.backbone is not None
    nowhere = np.full_like(good.backbone, np.nan)
    infinite, no_oxygen = good.backbone.copy(), good.backbone.copy()
    infinite[3, 1, 0] = np.inf
    no_oxygen[:, 3] = np.nan
    odd = {
        f"letter {letter}": replace(good, sequence=good.sequence[:-1] + letter)
        for letter in "XUOBZJa*"
    }
    return odd | {
        "no chain": Structure("m", np.array([8], np.uint8), np.zeros((1, 3)), smiles="O"),
        "no residues": replace(good, sequence="", backbone=np.empty((0, 4, 3))),
        "no coordinates": replace(good, backbone=nowhere),
        "no backbone": replace(good, backbone=None),
        "backbone of another length": replace(good, backbone=good.backbone[1:]),
        "infinite": replace(good, backbone=infinite),
        "no oxygen": replace(good, backbone=no_oxygen),
        "one residue resolved": peptide(12, 9, gap=[i for i in range(12) if i != 7]),
        "2000 residues": peptide(2000, 9),
    }


def behaviour(wrapper) -> dict[str, str]:
    """Return for each of `bad_chains` the code it is refused with, or ``taken``."""
    found = {}
    for name, structure in bad_chains().items():
        refusal = wrapper.refuse(structure)
        if refusal is None and name != "2000 residues":
            assert np.isfinite(wrapper.embed([structure]).latents).all(), name
        found[name] = "taken" if refusal is None else refusal.code
    return found


report = {}
for raw in job["cards"]:
    card = ModelCard.model_validate(raw)
    files = {name: Path(path) for name, path in job["files"].get(card.key, {}).items()}
    again = []
    if files:
        wrapper = load_wrapper(card, files)
    else:
        for time in ("first", "second"):
            where = folder / card.key / time
            where.mkdir(parents=True)
            wrapper, _ = build_and_load(card, where, threads=1)
            files = {f.name: where / f.name for f in card.checkpoint.files}
            again.append(wrapper.embed([s for s in chains if wrapper.refuse(s) is None]).latents)
    taken = [s for s in chains if wrapper.refuse(s) is None]
    # jax-unirep is in no environment here: its numbers are of the ideal chains.
    compared = peptides.chains() if card.wrapper == "unirep" else taken
    theirs = own.latents(wrapper.card, files, compared)
    report[card.key] = {
        "weights": wrapper.card.checkpoint.weights,
        "taken": len(taken),
        "checks": check_contract(wrapper, chains),
        "own": relative_deviation(theirs, wrapper.embed(compared).latents),
        "again": relative_deviation(again[0], again[1]) if again else 0.0,
        "bad": behaviour(wrapper),
    }
print(json.dumps(report))
