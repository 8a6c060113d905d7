from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from matteralign.core.errors import UserError
from matteralign.models.base.catalogue import WRAPPER_VERSIONS, wrapper_class, wrapper_version
from matteralign.registry.card import ModelCard
from matteralign.registry.environments import get_environment
from matteralign.registry.load import BUILTIN, load_cards, read_card
from matteralign.registry.vocabulary import FUNCTIONALS, GROUPS, TRAINING_SETS

DEMO = [
    "random", "ecfp4", "mace-mp-small", "mace-off23-small", "sevennet-0", "sevennet-l3i5",
    "chgnet-0.3.0", "orb-d3-xs-v2", "rxnfp-bert",
]  # fmt: skip
OFF23 = {"mace-off23-small", "mace-off23-medium", "mace-off23-large"}
CARDS = load_cards()


def test_the_demo_models_have_the_first_indices_for_good() -> None:
    assert [CARDS[key].index for key in DEMO] == list(range(9))


def test_a_file_is_named_as_its_model_and_lies_with_its_family() -> None:
    for path in BUILTIN.rglob("*.yaml"):
        card = read_card(path)
        assert (path.stem, path.parent.name) == (card.key, card.family)


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_a_card_names_what_exists(card: ModelCard) -> None:
    assert card.wrapper in WRAPPER_VERSIONS
    assert get_environment(card.environment).requirements.exists()
    needs = {
        "3d": {"positions"}, "smiles": {"smiles"}, "selfies": {"selfies"}, "text": {"text"},
        "sequence": {"sequence"}, "structure": {"backbone"}, "any": {"nothing", "atoms"},
    }  # fmt: skip
    assert card.accepts.needs in needs[card.modality]
    assert (card.checkpoint.weights == "none") == (not card.checkpoint.files)
    if card.parameters.study is not None and card.parameters.study != card.parameters.measured:
        assert card.parameters.note


def test_a_licence_that_restricts_use_says_so() -> None:
    restricted = {key for key, card in CARDS.items() if card.checkpoint.restricted}
    assert restricted == {
        *OFF23, "mace-omat-0-small", "esm3-sequence", "esm3-structure", "esmc-600m",
    }  # fmt: skip
    for key in restricted:
        assert re.search("academic|non-commercial", CARDS[key].checkpoint.restricted or "")


def test_pickles_and_code_are_marked() -> None:
    marked = {key for key, card in CARDS.items() if card.checkpoint.executes_code}
    code = {k for k, c in CARDS.items() if any(f.name.endswith(".py") for f in c.checkpoint.files)}
    assert code == {key for key, card in CARDS.items() if card.options.get("remote_code")}
    pickled = ("dpa", "fairchem1", "mace", "pet", "sevennet", "uma")
    assert marked == code | {key for key, card in CARDS.items() if card.wrapper in pickled}


def test_files_of_a_hub_are_of_one_revision() -> None:
    for card in CARDS.values():
        urls = [s.url for f in card.checkpoint.files for s in f.sources if s.kind == "url"]
        hub = [re.search(r"huggingface\.co/.*/resolve/([^/]*)/", url) for url in urls]
        revisions = {found[1] for found in hub if found}
        assert len(revisions) <= 1
        # A commit, or the tag of a release.
        pinned = r"[0-9a-f]{40}|v\d+\.\d+\.\d+"
        assert all(re.fullmatch(pinned, revision) for revision in revisions), card.key


def test_a_card_of_the_user_fits_beside_the_others() -> None:
    cards = load_cards((Path(__file__).parent / "data",))
    assert list(cards)[-1] == "sevennet-0-may"


STUDY_ROWS = {
    "random": 1, "chat": 9, "esm2": 3, "esm3": 2, "esm_if1": 1, "esmc": 2, "fairchem1": 13,
    "geom2vec": 1, "language": 3, "mace": 8, "orb": 10, "pet": 1, "prostt5": 2,
    "protein_mpnn": 1, "uma": 2,
}  # fmt: skip


def test_the_rows_of_the_study_are_there_once() -> None:
    rows = [card.study_row for card in CARDS.values() if card.study_row]
    assert len(rows) == len(set(rows))
    for wrapper, count in STUDY_ROWS.items():
        mine = [c for c in CARDS.values() if c.wrapper == wrapper and c.study_row]
        assert len(mine) == count, wrapper


def test_words_that_cards_are_compared_by_are_used() -> None:
    cards = CARDS.values()
    assert {card.group for card in cards} == set(GROUPS)
    assert {card.functional for card in cards} == set(FUNCTIONALS)
    assert {tag for card in cards for tag in card.training_sets} == set(TRAINING_SETS)


def test_files_that_no_registry_serves_can_be_stood_in_for() -> None:
    for card in CARDS.values():
        kinds = {source.kind for f in card.checkpoint.files for source in f.sources}
        assert kinds <= {"package"} or card.checkpoint.stand_in is not None, card.key


def test_untrained_networks_of_different_models_are_different() -> None:
    seeds: dict[object, set[tuple[str, ...]]] = {}
    for card in CARDS.values():
        if card.checkpoint.stand_in is not None:
            names = tuple(f.name for f in card.checkpoint.files)
            seeds.setdefault((card.wrapper, card.checkpoint.stand_in.seed), set()).add(names)
    assert all(len(names) == 1 for names in seeds.values())


def test_identity_changes_exactly_when_the_latents_may(make_card: Callable[..., ModelCard]) -> None:
    card = make_card("m", 0)
    same = [
        {"name": "Other"}, {"index": 7}, {"reference": "elsewhere"}, {"training_sets": ["MPTrj"]},
        {"claims": {"rotation": "invariant", "translation": "invariant"}},
    ]  # fmt: skip
    other = [
        {"key": "n"}, {"wrapper": "mace"}, {"environment": "e"}, {"options": {"seed": 1}},
        {"batch": 3}, {"accepts": {"elements": "1"}},
        {"latent": {"layer": "none", "documented": "x", "pooling": "none", "dim": 4}},
    ]  # fmt: skip
    made = card.model_dump()
    for change in same:
        assert ModelCard.model_validate(made | change).digest() == card.digest(), change
    for change in other:
        assert ModelCard.model_validate(made | change).digest() != card.digest(), change


def test_wrappers_have_versions() -> None:
    assert wrapper_version("mace") >= 1
    with pytest.raises(UserError, match="did you mean 'mace'"):
        wrapper_version("maze")
    with pytest.raises(UserError, match="unknown wrapper"):
        wrapper_class("nothing")


def test_the_catalogue_imports_no_model_package() -> None:
    code = (
        "import sys; import matteralign.models.base.catalogue, matteralign.models.base.wrapper, "
        "matteralign.models.extraction.extract, matteralign.models.running.jobs; "
        "found = {'torch', 'rdkit', 'ase', 'mace'} & set(sys.modules); sys.exit(str(found or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matteralign.models.families.atoms.mace", None)
    with pytest.raises(UserError, match="in the environment its card names"):
        wrapper_class("mace")
