"""Build the architecture of each card in full and count its parameters, one of a kind once."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from matteralign.models.base.torch_setup import prepare_environment
from matteralign.registry.card import ModelCard

cards = [ModelCard.model_validate(raw) for raw in json.loads(Path(sys.argv[1]).read_text())]
prepare_environment(2, Path(sys.argv[2]) / "scratch")

counted: dict[str, int] = {}
report = {}
for card in cards:
    builder = importlib.import_module(f"matteralign.models.architectures.{card.wrapper}")
    kind = json.dumps(card.checkpoint.stand_in.options, sort_keys=True)
    if kind not in counted:
        counted[kind] = builder.full_size(card.checkpoint.stand_in)
    report[card.key] = counted[kind]
print(json.dumps(report))
