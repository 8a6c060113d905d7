"""What the configuration may ask about several slices, and how mistakes are told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from matteralign.config.load import load_config, resolve
from matteralign.config.schema import RESERVED
from matteralign.core.errors import UserError
from matteralign.stages.study.study import open_study

SLICE: dict[str, Any] = {"dataset": "qm9", "n": 10, "seed": 0, "panel": ["random", "ecfp4"]}
CKA: dict[str, Any] = {"metric": "cka", "definition": "plain"}
ASKED: dict[str, Any] = {"kind": "paired_scores", "slices": ["one", "two"], "scores": [CKA]}


def raw(**changes: Any) -> dict[str, Any]:
    asked = {key: value for key, value in (ASKED | changes).items() if value is not None}
    return {"slices": {"one": SLICE, "two": SLICE | {"seed": 1}}, "analyses": {"both": asked}}


def told(config: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        open_study(resolve(config, origin="config.yaml", base=Path()))
    return str(caught.value)


def test_an_analysis_is_read() -> None:
    study = open_study(resolve(raw(), origin="config.yaml", base=Path()))
    assert study.analysis_models("both") == ["random", "ecfp4"]
    (measure,) = study.analysis_measures("both", "scores")
    assert measure in study.pair_measures("one")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "paired_score"}, "did you mean 'paired_scores'?"),
        ({"kind": None}, "analyses.both"),
        ({"slices": ["one", "tow"]}, "analyses.both.slices: unknown slice 'tow': did you mean"),
        ({"slices": ["one", "one"]}, "names one more than once"),
        ({"slices": []}, "analyses.both.slices: needs 1 or more"),
        ({"models": ["ranodm"]}, "analyses.both: unknown model 'ranodm': did you mean 'random'?"),
        ({"models": {"family": ["mase"]}}, "analyses.both: models.family: unknown family 'mase'"),
        ({"models": {"family": ["mace"]}}, "takes no model of the panels"),
        ({"models": 3}, "must be a list of keys, a selection"),
        ({"modles": "all"}, "analyses.both.modles: unknown key: did you mean 'models'?"),
        ({"scores": [CKA | {"metric": "ckna"}]}, "analyses.both.scores[0]: unknown metric 'ckna'"),
        (
            {"scores": [CKA, CKA | {"normalize": "row_max"}]},
            "analyses.both.scores: slice 'one' has no such score",
        ),
    ],
)
def test_mistakes_are_told_with_their_place(changes: dict[str, Any], said: str) -> None:
    assert said in told(raw(**changes))


def test_a_slice_cannot_have_the_name_of_the_folder_of_analyses() -> None:
    message = told({"slices": {"_study": SLICE}})
    assert "must be small letters a-z" in message


def test_names_of_the_workflow_are_reserved(project: Path) -> None:
    files = [project / "Snakefile", *(project / "workflow" / "rules").glob("*.smk")]
    text = "\n".join(path.read_text() for path in files)
    rules = re.findall(r"^rule ([a-z_]+):", text, re.MULTILINE)
    assert {name for name in rules if "_" not in name} == set(RESERVED)
    assert "target of the workflow" in told({"slices": {"score": SLICE}})
    assert "target of the workflow" in told(raw() | {"analyses": {"all": ASKED}})


def test_a_slice_and_an_analysis_cannot_share_a_name() -> None:
    config = raw()
    config["analyses"] = {"one": ASKED}
    assert told(config) == "config.yaml: 'one' is the name of a slice and of an analysis"


def test_an_included_file_may_define_analyses_of_slices_of_the_file_above(tmp_path: Path) -> None:
    config = raw()
    more = {"analyses": config.pop("analyses")}
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(more))
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config | {"include": ["more.yaml"]}))
    assert list(open_study(load_config(path)).config.analyses) == ["both"]
    path.write_text(yaml.safe_dump(raw(models=["random"]) | {"include": ["more.yaml"]}))
    with pytest.raises(UserError, match="analysis 'both' is already defined otherwise"):
        load_config(path)
