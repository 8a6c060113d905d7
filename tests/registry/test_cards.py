from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from matteralign.core.errors import UserError
from matteralign.models.base.catalogue import WRAPPER_VERSIONS
from matteralign.registry.card import ModelCard
from matteralign.registry.load import FIRST_OWN, get_card, load_cards, read_card

SHA = "ab" * 32


def _raw(card: ModelCard) -> dict[str, Any]:
    return card.model_dump(mode="json")


@pytest.fixture
def folder(tmp_path: Path, make_card: Callable[..., ModelCard]) -> Callable[..., Path]:
    def write(name: str, key: str = "mine", index: int = 900, **changes: Any) -> Path:
        path = tmp_path / "cards" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        raw = _raw(make_card(key, index)) | changes
        path.write_text(yaml.safe_dump(raw))
        return path

    return write


def test_a_card_of_the_user_joins_the_built_in_ones(folder: Callable[..., Path]) -> None:
    path = folder("a")
    cards = load_cards([path.parent])
    assert cards["mine"].index == 900
    assert set(load_cards()) == set(cards) - {"mine"}
    assert [c.index for c in cards.values()] == sorted(c.index for c in cards.values())


def test_an_unknown_key_names_file_and_nearest_match(folder: Callable[..., Path]) -> None:
    path = folder("a", famly="x")
    with pytest.raises(UserError) as caught:
        read_card(path)
    assert str(caught.value) == f"{path}: famly: unknown key: did you mean 'family'?"


def test_an_unknown_key_deep_in_a_card_says_where(folder: Callable[..., Path]) -> None:
    path = folder("a", checkpoint={"weights": "none", "licence": "MIT", "licence_ulr": "x"})
    with pytest.raises(UserError, match=r"checkpoint\.licence_ulr.*'licence_url'"):
        read_card(path)


def test_every_wrong_field_has_its_line(folder: Callable[..., Path]) -> None:
    path = folder("a", modality="4d", batch=0, accepts={"elements": "1-200"})
    with pytest.raises(UserError) as caught:
        read_card(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"{path}: ") for line in lines)
    assert "118" in next(line for line in lines if "accepts.elements" in line)


@pytest.mark.parametrize(
    ("field", "wrong", "message"),
    [
        ("group", "Mace", "group: unknown group 'Mace': did you mean 'MACE'?"),
        ("functional", "PBE_OMat", "unknown functional 'PBE_OMat': did you mean 'PBE_OMat24'?"),
        (
            "training_sets",
            ["SPICE", "MPtraj"],
            "training_sets[1]: unknown training set 'MPtraj': did you mean 'MPTrj'?",
        ),
        ("group", "own:", "group: unknown group 'own:'"),
    ],
)
def test_a_word_that_is_not_listed_gets_the_nearest_and_the_way_out(
    folder: Callable[..., Path], field: str, wrong: Any, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        read_card(folder("a", **{field: wrong}))
    assert message in str(caught.value)
    assert str(caught.value).endswith(" (one that is not listed is own:NAME)")


def test_words_of_ones_own_are_marked_so(folder: Callable[..., Path]) -> None:
    card = read_card(folder("a", group="own:KAN", training_sets=["MPTrj", "own:lab data"]))
    assert (card.group, card.training_sets) == ("own:KAN", ["MPTrj", "own:lab data"])


def test_what_table_1_prints_is_for_its_rows(folder: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="printed: is for rows of the study"):
        read_card(folder("a", printed={"embedding": "vanilla", "note": "why"}))


def test_a_key_taken_twice_names_both_files(folder: Callable[..., Path]) -> None:
    first = folder("a", index=900)
    second = folder("b", index=901)
    with pytest.raises(UserError, match="already taken") as caught:
        load_cards([first.parent])
    assert str(first) in str(caught.value)
    assert str(second) in str(caught.value)


def test_an_index_taken_twice_offers_the_next_free_one(folder: Callable[..., Path]) -> None:
    folder("a", key="one", index=900)
    path = folder("b", key="two", index=900)
    with pytest.raises(UserError, match="next free index is 901"):
        load_cards([path.parent])


def test_an_index_of_a_built_in_card_is_refused(folder: Callable[..., Path]) -> None:
    path = folder("a", index=0)
    with pytest.raises(UserError, match="index 0 is already taken by") as caught:
        load_cards([path.parent])
    # Those below belong to cards of later releases.
    assert str(caught.value).endswith(f"the next free index is {FIRST_OWN}")


def test_a_source_is_told_by_its_keys(folder: Callable[..., Path]) -> None:
    path = folder(
        "a",
        checkpoint={
            "weights": "trained",
            "licence": "x",
            "files": [
                {"name": "w.pt", "sources": [{"url": "htp://x"}, {"repo": "a/b"}, {"ur": "x"}]}
            ],
        },
    )
    with pytest.raises(UserError) as caught:
        load_cards([path.parent])
    place = "checkpoint.files[0].sources"
    assert [line.removeprefix(f"{path}: {place}") for line in str(caught.value).splitlines()] == [
        "[0].url: must begin with https://, http:// or file://, such as "
        "https://example.org/model.pt, found 'htp://x'",
        "[1].revision: is missing",
        "[1].path: is missing",
        "[2]: must have the keys of a source: package, url or repo, found a section of keys",
    ]


@pytest.mark.parametrize("name", ["../up", "a/b", "..", "/etc/x", ""])
def test_a_file_of_a_card_stays_in_its_folder(folder: Callable[..., Path], name: str) -> None:
    files = [{"name": name, "sources": [{"url": "https://x.org/y"}]}]
    path = folder("a", checkpoint={"weights": "trained", "licence": "x", "files": files})
    with pytest.raises(
        UserError, match=r"checkpoint\.files\[0\]\.name: must be the name of a file"
    ):
        load_cards([path.parent])


@pytest.mark.parametrize("text", ["a: [", "- a\n- b\n", "just words", "", "\ta: 1"])
def test_bad_yaml_is_one_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"broken\.yaml"):
        read_card(path)


def test_a_card_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere.*does not exist"):
        load_cards([tmp_path / "nowhere"])


def test_an_unknown_model_gets_the_nearest() -> None:
    with pytest.raises(UserError, match=r"unknown model 'mace-mp-smal'.*'mace-mp-small'"):
        get_card("mace-mp-smal", load_cards())


DECIDES: dict[str, Any] = {
    "key": "other",
    "wrapper": "fingerprint",
    "environment": "elsewhere",
    "latent": {"layer": "none", "documented": "here", "pooling": "mean over atoms", "dim": 3},
    "accepts": {"elements": "1,6"},
    "options": {"seed": 1},
    "batch": 7,
    "predicts": ["energy"],
    "prompt": {"file": "blank.txt", "sha256": SHA},
    "prompts": {"system": "mine.txt"},
    "checkpoint": {
        "weights": "none",
        "licence": "MIT",
        "files": [
            {
                "name": "w.pt",
                "sha256": SHA,
                "size": 1,
                "sources": [
                    {
                        "package": "p",
                        "version": "1",
                        "archive": "wheel",
                        "archive_sha256": SHA,
                        "member": "p/w.pt",
                    }
                ],
            }
        ],
    },
}
PROSE: dict[str, Any] = {
    "index": 4,
    "name": "A better name",
    "family": "cousins",
    "modality": "3d",
    "architecture": "described at length",
    "embedding": "vanilla",
    "group": "MACE",
    "training_sets": ["MPTrj"],
    "functional": "PBE_MP",
    "functional_note": "with +U",
    "study_row": "Row",
    "printed": {"embedding": "vanilla", "note": "why"},
    "parameters": {"measured": 5, "note": "counted"},
    "checkpoint": {"weights": "none", "licence": "Apache-2.0", "restricted": "read me"},
    "latent": {"layer": "last", "documented": "paper", "pooling": "none", "dim": 3},
    "claims": {"rotation": "invariant", "translation": "invariant"},
    "reference": "a paper",
}


@pytest.mark.parametrize("field", sorted(DECIDES))
def test_the_digest_changes_with_what_decides_a_latent(
    make_card: Callable[..., ModelCard], field: str
) -> None:
    assert (
        make_card("k", 3).digest()
        != make_card(**({"key": "k", "index": 3} | {field: DECIDES[field]})).digest()
    )


@pytest.mark.parametrize("field", sorted(PROSE))
def test_the_digest_does_not_change_with_prose(
    make_card: Callable[..., ModelCard], field: str
) -> None:
    fields = {"key": "k", "index": 3, "study_row": "Row"}
    assert make_card("k", 3).digest() == make_card(**(fields | {field: PROSE[field]})).digest()


def test_every_field_is_sorted_into_identity_or_prose() -> None:
    assert set(ModelCard.model_fields) == set(DECIDES) | set(PROSE)


def test_where_a_file_comes_from_is_not_identity(make_card: Callable[..., ModelCard]) -> None:
    other = {
        "weights": "none",
        "licence": "MIT",
        "files": [DECIDES["checkpoint"]["files"][0] | {"name": "renamed.pt"}],
    }
    plain = make_card("k", 3, checkpoint=DECIDES["checkpoint"])
    assert make_card("k", 3, checkpoint=other).digest() == plain.digest()


def test_built_in_cards_are_consistent() -> None:
    cards = load_cards()
    assert len({c.index for c in cards.values()}) == len(cards)
    for card in cards.values():
        assert card.wrapper in WRAPPER_VERSIONS
        assert bool(card.checkpoint.files) == (card.checkpoint.weights != "none")


def test_a_row_that_the_study_does_not_have_is_refused_with_the_nearest(
    folder: Callable[..., Path],
) -> None:
    path = folder("a", study_row="MACE MP Smal")
    with pytest.raises(UserError, match=r"unknown study_row 'MACE MP Smal'.*'MACE MP Small'"):
        load_cards([path.parent])


def test_a_row_of_the_study_has_one_card(folder: Callable[..., Path]) -> None:
    path = folder("a", study_row="MACE MP Small")
    with pytest.raises(UserError, match=r"already the row of .*mace-mp-small\.yaml"):
        load_cards([path.parent])


@pytest.mark.parametrize("weights", ["trained", "untrained"])
def test_weights_without_files_are_refused(folder: Callable[..., Path], weights: str) -> None:
    path = folder("a", checkpoint={"weights": weights, "licence": "MIT"})
    with pytest.raises(UserError, match=rf"checkpoint.*'{weights}', but no files are listed"):
        read_card(path)


INDICES = {
    "random": 0,
    "ecfp4": 1,
    "mace-mp-small": 2,
    "mace-off23-small": 3,
    "sevennet-0": 4,
    "sevennet-l3i5": 5,
    "chgnet-0.3.0": 6,
    "orb-d3-xs-v2": 7,
    "rxnfp-bert": 8,
}


def test_indices_are_append_only() -> None:
    cards = load_cards()
    assert {key: cards[key].index for key in INDICES} == INDICES


def test_a_field_that_is_there_twice_is_refused(folder: Callable[..., Path]) -> None:
    path = folder("a")
    path.write_text(path.read_text() + "\nindex: 901\n")
    with pytest.raises(UserError, match="key 'index' is there twice"):
        read_card(path)
