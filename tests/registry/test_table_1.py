"""The 59 rows of the study's Table 1 against the cards: one line a row, as it is printed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from matteralign.registry.card import ModelCard
from matteralign.registry.load import STUDY_ROWS, load_cards

MPA, OMPA = "MPTrj sAlex", "OMat MPTrj sAlex"
UMA = "OMat OMol OMC ODAC OC20"
MP, OMAT, SPICE = "PBE_MP", "PBE_OMat24", "ωB97M-D3 (SPICE)"

# Row, group | training data | input | embedding | level | parameters; k, M, G of rounded counts.
TABLE = f"""
Orb V2 = Orb V2 | {MPA} | 3d | vanilla | {MP} | 25161727
Orb V3 OMat Direct Inf = Orb V3 | OMat | 3d | vanilla | {OMAT} | 25644479
Orb V3 OMat Direct 20 = Orb V3 | OMat | 3d | vanilla | {OMAT} | 25644479
Orb V3 OMat Direct 20 Randomized = Orb V3 Randomized | | 3d | vanilla | {OMAT} | 25644479
Orb V3 MPA Direct Inf = Orb V3 | {MPA} | 3d | vanilla | {MP} | 25644479
Orb V3 MPA Direct 20 = Orb V3 | {MPA} | 3d | vanilla | {MP} | 25644479
Orb V3 OMat Conservative Inf = Orb V3 | OMat | 3d | equivariant | {OMAT} | 25510582
Orb V3 OMat Conservative 20 = Orb V3 | OMat | 3d | equivariant | {OMAT} | 25510582
Orb V3 MPA Conservative Inf = Orb V3 | {MPA} | 3d | equivariant | {MP} | 25510582
Orb V3 MPA Conservative 20 = Orb V3 | {MPA} | 3d | equivariant | {MP} | 25510582
UMA Medium = UMA | {UMA} | 3d | invariant | {OMAT} | 1396669089
UMA Small = UMA | {UMA} | 3d | invariant | {OMAT} | 146566817
eSEN MP = eSEN | MPTrj | 3d | invariant | {MP} | 30086018
eSEN OMPA (OAM) = eSEN | {OMPA} | 3d | invariant | {OMAT} | 30161153
eSEN OMat = eSEN | OMat | 3d | invariant | {OMAT} | 30161410
EqV2 OMPA Large = EqV2 | {OMPA} | 3d | invariant | {OMAT} | 153769868
EqV2 OMPA Medium = EqV2 | {OMPA} | 3d | invariant | {OMAT} | 86589068
EqV2 OMPA Small = EqV2 | {OMPA} | 3d | invariant | {OMAT} | 31207434
EqV2 OMat Large = EqV2 | OMat | 3d | invariant | {OMAT} | 153769868
EqV2 OMat Medium = EqV2 | OMat | 3d | invariant | {OMAT} | 86589068
EqV2 OMat Small = EqV2 | OMat | 3d | invariant | {OMAT} | 31207434
EqV2 MP Small = EqV2 | MPTrj | 3d | invariant | {MP} | 31207434
EqV2 DeNS MP Large = EqV2 | MPTrj | 3d | invariant | {MP} | 160673293
EqV2 DeNS MP Medium = EqV2 | MPTrj | 3d | invariant | {MP} | 94033933
EqV2 DeNS MP Small = EqV2 | MPTrj | 3d | invariant | {MP} | 34339083
MACE MP Large = MACE | MPTrj | 3d | invariant | {MP} | 15847440
MACE MP Large Equivariant = MACE | MPTrj | 3d | equivariant | {MP} | 15847440
MACE MP Medium = MACE | MPTrj | 3d | invariant | {MP} | 1428368
MACE MP Medium Equivariant = MACE | MPTrj | 3d | equivariant | {MP} | 1428368
MACE MP Small = MACE | MPTrj | 3d | invariant | {MP} | 3847696
MACE OFF23 Large = MACE | SPICE | 3d | invariant | {SPICE} | 4707312
MACE OFF23 Medium = MACE | SPICE | 3d | invariant | {SPICE} | 1428368
MACE OFF23 Small = MACE | SPICE | 3d | invariant | {SPICE} | 694320
PET-MAD = PET | MAD | 3d | vanilla | PBEsol | 3258420
Geom2Vec = Geom2Vec | Denali | string | vanilla | none | 5M
MoLFormer = MoLFormer | PubChem ZINC | smiles | vanilla | none | 46.8M
ChemBERTa = ChemBERTa | PubChem | smiles | vanilla | none | 77M
ChemGPT = ChemGPT | PubChem | selfies | vanilla | none | 1.2G
DeepSeek R1 = DeepSeek R1 | internet | text | vanilla | none | 685G
DeepSeek R1 Blank = DeepSeek R1 | internet | text | vanilla | none | 685G
DeepSeek R1 Blank Atomistic = DeepSeek R1 | internet | text | vanilla | none | 685G
Qwen3 A3B = Qwen3 | internet | text | vanilla | none | 30G
Qwen3 A3B Blank = Qwen3 | internet | text | vanilla | none | 30G
Qwen3 A3B Blank Atomistic = Qwen3 | internet | text | vanilla | none | 30G
GPT OSS 20B = GPT OSS | internet | text | vanilla | none | 20G
GPT OSS 20B Blank = GPT OSS | internet | text | vanilla | none | 20G
GPT OSS 20B Blank Atomistic = GPT OSS | internet | text | vanilla | none | 20G
ESM2 Large = ESM2 | UniRef50 | sequence | vanilla | none | 650M
ESM2 Medium = ESM2 | UniRef50 | sequence | vanilla | none | 150M
ESM2 Small = ESM2 | UniRef50 | sequence | vanilla | none | 8M
ProstT5 Structure = ProstT5 | UniRef50 PDB | structure | vanilla | none | 3G
ProstT5 Sequence = ProstT5 | UniRef50 PDB | sequence | vanilla | none | 3G
ESMC Medium = ESMC | UniRef50 | sequence | vanilla | none | 600M
ESMC Small = ESMC | UniRef50 | sequence | vanilla | none | 300M
ESM3 Sequence = ESM3 | UniRef50 PDB | sequence | vanilla | none | 1.4G
ESM3 Structure = ESM3 | UniRef50 PDB | structure | vanilla | none | 1.4G
ESM IF1 = ESM IF1 | PDB | structure | vanilla | none | 142M
ProteinMPNN = ProteinMPNN | PDB | structure | vanilla | none | 1.66M
Random Baseline = Random | | any | random | none | 0
"""
LINES = TABLE.strip().splitlines()
BY_ROW = {card.study_row: card for card in load_cards().values() if card.study_row}


def count(text: str) -> int:
    scale = {"M": 10**6, "G": 10**9}.get(text[-1], 1)
    return round(float(text.rstrip("MG")) * scale)


def facts(card: ModelCard) -> dict[str, Any]:
    return card.as_printed() | {"group": card.group, "parameters": card.parameters.study}


def test_every_row_has_one_card() -> None:
    assert [line.split(" = ")[0] for line in LINES] == sorted(
        BY_ROW, key=[line.split(" = ")[0] for line in LINES].index
    )
    assert len(LINES) == len(BY_ROW) == STUDY_ROWS


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split(" = ")[0])
def test_a_card_says_what_its_row_says(line: str) -> None:
    row, rest = line.split(" = ")
    group, training, modality, embedding, functional, parameters = map(str.strip, rest.split("|"))
    assert facts(BY_ROW[row]) == {
        "group": group,
        "training_sets": training.split(),
        "modality": modality,
        "embedding": embedding,
        "functional": functional,
        "parameters": count(parameters),
    }


def test_a_card_that_differs_from_its_row_says_why() -> None:
    for card in BY_ROW.values():
        own = {name: getattr(card, name) for name in card.as_printed()}
        assert (own != card.as_printed()) == (card.printed is not None), card.key
        counts = card.parameters
        assert counts.study is not None
        if counts.study != counts.measured:
            assert counts.note, card.key


def test_every_row_says_who_publishes_its_weights_and_at_which_revision() -> None:
    for card in BY_ROW.values():
        if card.checkpoint.weights != "trained":
            continue
        for pinned in card.checkpoint.files:
            first = pinned.sources[0]
            if first.kind == "url":
                # A commit or release of the publisher, or a name that bears a date or version.
                dated = r"/[0-9a-f]{40}/|/v\d|/releases/download/|\d{8}|fair-esm"
                assert re.search(dated, first.url), (card.key, first.url)
            # A hash that this project has not seen itself says who has.
            served = {source.kind for source in pinned.sources} == {"package"}
            assert (pinned.sha256_from is not None) == (pinned.sha256 is not None and not served), (
                card.key
            )


def test_one_file_has_one_hash_on_all_cards() -> None:
    hashes: dict[tuple[str, str], set[str | None]] = {}
    for card in load_cards().values():
        for pinned in card.checkpoint.files:
            hashes.setdefault((pinned.name, pinned.origin()), set()).add(pinned.sha256)
    assert all(len(found) == 1 for found in hashes.values())


def test_at_least_a_third_of_the_rows_is_pinned() -> None:
    where = [card.checkpoint.hash_from() for card in BY_ROW.values()]
    assert set(where) == {"", "card", "first download"}
    assert where.count("card") >= 20


def test_nothing_is_said_of_table_1_where_it_prints_the_same() -> None:
    for card in BY_ROW.values():
        if card.printed is not None:
            for name, value in card.printed:
                assert name == "note" or value is None or value != getattr(card, name), card.key
