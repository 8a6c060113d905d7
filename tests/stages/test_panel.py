from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from matteralign.cli.app import app
from matteralign.config.schema import StudyConfig
from matteralign.config.slices import Slice
from matteralign.core.errors import UserError
from matteralign.datasets.base.catalogue import get_dataset
from matteralign.registry.load import load_cards
from matteralign.stages.study.panel import Choice, choose, needs
from matteralign.stages.study.study import open_study
from matteralign.store.structures import write_structures

PROTEINS = get_dataset("rcsb").offers()


def slice_of(panel: Any, dataset: str = "qm9", **more: Any) -> Slice:
    raw = {"dataset": dataset, "n": 10, "seed": 0, "panel": panel} | more
    return Slice.model_validate(raw)


def decide(panel: Any, dataset: str = "qm9", **more: Any) -> dict[str, Choice]:
    chosen = slice_of(panel, dataset, **more)
    found = choose(chosen, load_cards(), get_dataset(dataset).offers())
    return {choice.card.key: choice for choice in found}


def chosen(found: dict[str, Choice]) -> set[str]:
    return {key for key, choice in found.items() if choice.chosen}


def test_every_model_is_decided_upon_in_the_order_of_indices() -> None:
    found = decide("all")
    assert [*found] == [*load_cards()]
    assert all(choice.chosen or choice.reason for choice in found.values())


def test_molecules_with_smiles_have_everything_but_proteins() -> None:
    left_out = {key: c.reason for key, c in decide("all").items() if not c.chosen}
    protein = {k for k, c in load_cards().items() if c.modality in ("sequence", "structure")}
    assert set(left_out) == protein
    assert left_out["esm2-8m"] == "reads protein sequences, of which the dataset has none"
    assert left_out["proteinmpnn"] == "reads protein backbones, of which the dataset has none"


def test_crystals_have_no_smiles_but_coordinates_that_a_prompt_can_show() -> None:
    found = decide({"study": True}, "omat24")
    assert "deepseek-r1-distill-llama-8b-blank-atomistic" in chosen(found)
    reason = "reads SMILES, of which the dataset has none"
    assert found["deepseek-r1-distill-llama-8b"].reason == reason
    assert found["chemgpt-1.2b"].reason == "reads SELFIES, of which the dataset has none"
    assert "orb-v2" in chosen(found)
    assert {load_cards()[key].modality for key in chosen(found)} <= {"3d", "text", "any"}


def test_proteins_have_the_models_of_chains_and_of_atoms() -> None:
    found = choose(slice_of({"study": True}), load_cards(), PROTEINS)
    keys = {choice.card.key for choice in found if choice.chosen}
    assert {"esm2-650m", "esm3-structure", "proteinmpnn", "random", "orb-v2"} <= keys
    assert not keys & {"chemberta", "chemgpt-1.2b", "gpt-oss-20b"}


def test_a_model_of_few_elements_needs_a_dataset_of_few() -> None:
    crystals = decide({"family": ["mace"]}, "omat24")
    assert crystals["mace-off23-small"].reason == "knows 10 of the dataset's 89 elements"
    assert "mace-mp-small" in chosen(crystals)
    few = {"filters": {"elements": {"only": ["H", "C", "O"]}}}
    assert "mace-off23-small" in chosen(decide({"family": ["mace"]}, "omat24", **few))
    assert "mace-off23-small" in chosen(decide({"family": ["mace"]}, "omat24", min_coverage=0.1))
    assert "mace-off23-small" in chosen(decide({"family": ["mace"]}, "qm9"))


def test_conditions_are_all_met() -> None:
    found = decide({"family": ["mace", "orb"], "training": ["MPTrj"], "study": True})
    cards = load_cards()
    assert chosen(found) == {
        key
        for key, card in cards.items()
        if card.family in ("mace", "orb") and "MPTrj" in card.training_sets and card.study_row
    }
    assert found["mace-off23-small"].reason == "training is SPICE and QMugs"
    assert found["sevennet-0"].reason == "no row of the study"
    assert decide({"study": False})["orb-v2"].reason == "a row of the study"
    assert found["sevennet-0"].card.group == "SevenNet"
    grouped = decide({"group": ["Orb V3", "CHGNet"], "functional": ["PBE_MP", "PBE_OMat24"]})
    assert chosen(grouped) == {
        key
        for key, card in cards.items()
        if card.group in ("Orb V3", "CHGNet") and card.functional in ("PBE_MP", "PBE_OMat24")
    }
    assert len(chosen(grouped)) >= 3
    assert grouped["mace-mp-small"].reason == "group is MACE"
    assert decide({"functional": ["PBE_MP"]})["ecfp4"].reason == "functional is none"
    only = decide({"modality": ["smiles"], "environment": ["main"], "embedding": ["vanilla"]})
    assert "ecfp4" not in chosen(only)
    assert {cards[key].modality for key in chosen(only)} == {"smiles"}


def test_keys_are_added_and_excluded_whatever_the_conditions() -> None:
    panel = {"family": ["orb"], "keys": ["proteinmpnn", "ecfp4"], "exclude": ["orb-v2"]}
    found = decide(panel)
    assert {"proteinmpnn", "ecfp4"} < chosen(found)
    assert found["orb-v2"].reason == "excluded by the panel"
    # On the panel, because it was asked for; the reader is told what comes of it.
    assert found["proteinmpnn"].reason == "reads protein backbones, of which the dataset has none"


def test_keys_alone_are_the_panel() -> None:
    keys = ["random", "ecfp4", "orb-v2"]
    found = decide({"keys": keys})
    assert chosen(found) == set(keys)
    assert found["mace-mp-small"].reason == "not on the list of the panel"
    # As a list, but for what the dataset says of them.
    assert chosen(decide(keys)) == set(keys)
    # Leaving out others changes nothing.
    assert chosen(decide({"keys": keys, "exclude": ["soap"]})) == set(keys)


@pytest.mark.parametrize(
    "condition",
    [
        {"study": False}, {"study": True}, {"family": ["orb"]}, {"modality": ["smiles"]},
        {"embedding": ["invariant"]}, {"environment": ["main"]}, {"training": ["MPTrj"]},
        {"group": ["Orb V3"]}, {"functional": ["PBE_MP"]},
    ],
)  # fmt: skip
def test_keys_beside_any_condition_are_a_union(condition: dict[str, Any]) -> None:
    keys = ["random", "proteinmpnn"]
    alone, both = decide(condition), decide(condition | {"keys": keys})
    assert chosen(both) == chosen(alone) | set(keys)
    assert len(chosen(both)) > len(keys)


def test_a_key_that_is_in_and_out_is_refused() -> None:
    with pytest.raises(ValueError, match="ecfp4: under keys and under exclude"):
        slice_of({"keys": ["random", "ecfp4"], "exclude": ["ecfp4"]})


@pytest.mark.parametrize("name", ["keys", "family", "training", "group", "functional"])
def test_an_empty_condition_is_refused_and_not_taken_for_all(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is an empty list"):
        slice_of({name: []})


def test_selections_read_what_a_model_was_really_trained_on() -> None:
    assert {"esm3-sequence", "esmc-600m"} <= {
        c.card.key
        for c in choose(slice_of({"training": ["JGI"]}), load_cards(), PROTEINS)
        if c.chosen
    }
    found = choose(slice_of({"training": ["PDB"]}), load_cards(), PROTEINS)
    # Table 1 prints PDB for ProstT5, whose authors do not name it.
    assert "prostt5-structure" not in {c.card.key for c in found if c.chosen}


def test_a_list_of_keys_is_the_panel() -> None:
    found = decide(["random", "soap"])
    assert chosen(found) == {"random", "soap"}
    assert found["ecfp4"].reason == "not on the list of the panel"


def test_a_model_of_few_of_the_elements_may_be_on_a_list() -> None:
    found = decide(["random", "mace-off23-small"], "omat24")
    assert chosen(found) == {"random", "mace-off23-small"}
    assert found["mace-off23-small"].reason == "knows 10 of the dataset's 89 elements"


@pytest.mark.parametrize(
    ("panel", "dataset", "more", "reason"),
    [
        (
            ["random", "proteinmpnn"],
            "qm9",
            {},
            "reads protein backbones, of which the dataset has none (rows of 'qm9' have SELFIES, "
            "SMILES, atoms, coordinates)",
        ),
        (
            ["random", "ecfp4"],
            "omat24",
            {},
            "reads SMILES, of which the dataset has none (rows of 'omat24' have atoms, "
            "coordinates)",
        ),
        (
            ["random", "mace-off23-small"],
            "omat24",
            {"filters": {"elements": {"only": ["Fe", "Ni"]}}},
            "knows 0 of the dataset's 2 elements (rows of 'omat24' have atoms, coordinates)",
        ),
    ],
)
def test_a_model_of_a_list_that_can_take_no_row_is_refused(
    panel: list[str], dataset: str, more: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UserError) as caught:
        decide(panel, dataset, **more)
    assert str(caught.value) == (
        f"panel: model {panel[1]!r} {reason}; take it off the list, or insist with "
        "`panel: {keys: [...]}`"
    )
    assert panel[1] in chosen(decide({"keys": panel}, dataset, **more))


@pytest.mark.parametrize(
    ("panel", "message"),
    [
        (["random", "ecfp5"], "unknown model 'ecfp5': did you mean 'ecfp4'?"),
        ({"keys": ["randm"]}, "unknown model 'randm': did you mean 'random'?"),
        ({"exclude": ["orb-v22"]}, "unknown model 'orb-v22': did you mean 'orb-v2'?"),
        ({"family": ["mase"]}, "panel.family: unknown family 'mase': did you mean 'mace'?"),
        (
            {"training": ["MPtrj"]},
            "panel.training: unknown training 'MPtrj': did you mean 'MPTrj'?",
        ),
        ({"modality": ["3D"]}, "panel.modality: unknown modality '3D': did you mean '3d'?"),
        ({"group": ["Orb v3"]}, "panel.group: unknown group 'Orb v3': did you mean 'Orb V3'?"),
        (
            {"functional": ["PBE-MP"]},
            "panel.functional: unknown functional 'PBE-MP': did you mean 'PBE_MP'?",
        ),
        ({"family": ["proteinmpnn"]}, "the panel has 0 models, a comparison needs two"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_nearest(panel: Any, message: str) -> None:
    raw = {"slices": {"s": {"dataset": "qm9", "n": 10, "seed": 0, "panel": panel}}}
    with pytest.raises(UserError) as caught:
        open_study(StudyConfig.model_validate(raw))
    assert str(caught.value).startswith(f"slice 's': {message}")


def test_the_task_of_a_model_of_several_follows_from_the_dataset(make_card: Any) -> None:
    tasks = {"tasks": {"periodic": "omat", "molecule": "omol"}}
    cards = {k: make_card(k, i, options=tasks) for i, k in enumerate("ab")}
    for dataset, task in (
        ("omat24", "omat"),
        ("salex", "omat"),
        ("qm9", "omol"),
        ("omol25", "omol"),
    ):
        found = choose(slice_of("all"), cards, get_dataset(dataset).offers())
        assert {choice.note for choice in found} == {f"task {task}"}


def test_needs_of_a_prompt_are_those_of_its_fields() -> None:
    cards = load_cards()
    assert needs(cards["gpt-oss-20b"]) == {"smiles"}
    assert needs(cards["gpt-oss-20b-blank-atomistic"]) == {"positions"}
    assert needs(cards["random"]) == frozenset()


def test_the_verb_says_who_is_in_who_is_not_and_how_many_rows_each_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, molecule: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    panel = ["random", "ecfp4", "mace-off23-small"]
    slices = {"s": {"dataset": "qm9", "n": 4, "seed": 0, "panel": panel, "min_coverage": 0.8}}
    Path("config.yaml").write_text(yaml.safe_dump({"slices": slices}))

    def rows() -> dict[str, Any]:
        done = CliRunner().invoke(app, ["panel", "s", "--json"], catch_exceptions=False)
        return {row["model"]: row for row in json.loads(done.stdout)}

    assert rows()["ecfp4"]["rows"] is None
    structures = [molecule("H2O"), molecule("CH4"), molecule("SiH4"), molecule("NaCl")]
    write_structures(
        Path("results/s/structures.parquet"), structures, slice_name="s", dataset="qm9"
    )
    found = rows()
    assert [found[key]["valid"] for key in panel] == [4, 2, 2]
    assert found["random"]["remark"] is None
    assert found["ecfp4"]["remark"] == "covers fewer rows than min_coverage, 80%"
    assert not found["mace-mp-small"]["chosen"]
    done = CliRunner().invoke(app, ["panel", "s"], env={"COLUMNS": "60"}, catch_exceptions=False)
    assert "covers fewer rows than min_coverage, 80%" in done.stdout  # whole in a narrow window
    assert "3 models, 3 pairs" in done.stdout
    assert "~50%" in done.stdout
