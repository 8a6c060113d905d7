"""Words that cards are compared by: architecture groups, functionals, training sets.

They are those of the study's Table 1 where it has one, so that a condensed matrix, a colour or
a selection means the same on every card. What is not listed is written ``own:NAME``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from matteralign.core.patterns import OWN_WORD
from matteralign.core.suggest import unknown

GROUPS = (
    # Rows of the study. It averages over these in its condensed matrices.
    "ChemBERTa", "ChemGPT", "DeepSeek R1", "EqV2", "ESM IF1", "ESM2", "ESM3", "ESMC", "GPT OSS",
    "Geom2Vec", "MACE", "MoLFormer", "Orb V2", "Orb V3", "Orb V3 Randomized", "PET", "ProstT5",
    "ProteinMPNN", "Qwen3", "Random", "UMA", "eSEN",
    # Further models.
    "AntiBERTy", "CHGNet", "Composition", "DPA", "ECFP", "MatterSim", "MiniMol", "Reaction BERT",
    "SOAP", "SevenNet", "UniRep",
)  # fmt: skip
"""Architecture groups."""

FUNCTIONALS = (
    "none", "PBE_MP", "PBE_OMat24", "PBEsol", "ωB97M-D3 (SPICE)",
    "PBE_MP+D3", "PBE_MatterSim", "r2SCAN_MP",
)  # fmt: skip
"""Levels of theory that a model learnt energies of; ``none`` where it learnt none."""

TRAINING_SETS = (
    # Named in Table 1.
    "Denali", "MAD", "MPTrj", "OC20", "ODAC", "OMC", "OMat", "OMol", "PDB", "PubChem", "SPICE",
    "UniRef50", "ZINC", "internet", "sAlex",
    # Named by the models' own papers.
    "AFDB", "Alexandria", "BFD", "ESMAtlas", "JGI", "L1000", "MGnify", "MP-r2SCAN", "MatterSim",
    "OAS", "PCBA", "PCQM4M", "Pistachio", "QMugs", "USPTO", "UniRef70", "UniRef90",
)  # fmt: skip
"""Data that weights were trained on."""


def _one_of(kind: str, words: tuple[str, ...]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value in words or re.match(OWN_WORD, value):
            return value
        raise ValueError(f"{unknown(kind, value, words)} (one that is not listed is own:NAME)")

    return check


def _schema(words: tuple[str, ...]) -> dict[str, Any]:
    return {"anyOf": [{"enum": list(words)}, {"type": "string", "pattern": OWN_WORD}]}


Group = Annotated[str, AfterValidator(_one_of("group", GROUPS)), WithJsonSchema(_schema(GROUPS))]
Functional = Annotated[
    str,
    AfterValidator(_one_of("functional", FUNCTIONALS)),
    WithJsonSchema(_schema(FUNCTIONALS)),
]
TrainingSet = Annotated[
    str,
    AfterValidator(_one_of("training set", TRAINING_SETS)),
    WithJsonSchema(_schema(TRAINING_SETS)),
]
