"""Set the wrapper's batch against what the model's own package gives for the same untrained file.

The script ``<wrapper>_package.py`` beside this one says how far they are apart.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from matteralign.models.base.torch_setup import prepare_environment
from matteralign.models.running.loading import build_and_load
from matteralign.registry.card import ModelCard
from matteralign.store.structures import read_structures

cards = [ModelCard.model_validate(raw) for raw in json.loads(Path(sys.argv[1]).read_text())]
folder = Path(sys.argv[2])
structures = read_structures(folder / "structures.parquet").structures
prepare_environment(1, folder / "scratch")

report = {}
for card in cards:
    where = folder / card.key
    where.mkdir()
    wrapper, _ = build_and_load(card, where, threads=1)
    taken = [s for s in structures if wrapper.refuse(s) is None]
    package = importlib.import_module(f"{card.wrapper}_package")
    report[card.key] = package.deviations(wrapper, where / card.checkpoint.files[0].name, taken)
print(json.dumps(report))
