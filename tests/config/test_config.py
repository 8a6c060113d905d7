from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from matteralign.cli.schema import generated
from matteralign.config.load import get_slice, load_config, resolve
from matteralign.config.schema import StudyConfig
from matteralign.core.errors import UserError
from matteralign.registry.load import get_card, load_cards
from matteralign.stages.study.study import Study, open_study

SLICE: dict[str, Any] = {"dataset": "qm9", "n": 10, "seed": 0, "panel": ["random", "ecfp4"]}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(raw: Any, name: str = "config.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(raw if isinstance(raw, str) else yaml.safe_dump(raw))
        return path

    return make


def message(raw: Any) -> str:
    with pytest.raises(UserError) as caught:
        resolve(raw, origin="config.yaml", base=Path())
    return str(caught.value)


def test_the_committed_configuration_is_valid(project: Path) -> None:
    config = load_config(project / "config.yaml")
    assert {"qm9-demo", "qm9-50k"} <= set(config.slices)
    demo = get_slice(config, "qm9-demo")
    assert (demo.dataset, demo.n, demo.seed, len(demo.panel)) == ("qm9", 1000, 0, 9)
    study = open_study(config)
    assert [m.spec.metric for m in study.model_measures("qm9-demo")] == ["twonn", "mle"]
    alone = load_config(project / "workflow/config/demo.yaml")
    assert alone.slices["qm9-demo"] == demo


def test_the_committed_configuration_reads_back_as_it_is_handed_to_jobs(
    project: Path, write: Write
) -> None:
    config = load_config(project / "config.yaml")
    handed = config.model_dump(mode="json")
    assert load_config(write(handed)).model_dump(mode="json") == handed


@pytest.mark.parametrize("name", ["config.schema.json", "card.schema.json", "dataset.schema.json"])
def test_the_committed_schemas_are_the_generated_ones(project: Path, name: str) -> None:
    committed = (project / "workflow/schemas" / name).read_text(encoding="utf-8")
    assert committed == generated()[name], "run `make schema` and commit the result"


def test_no_schema_is_left_over(project: Path) -> None:
    assert {p.name for p in (project / "workflow/schemas").iterdir()} == set(generated())


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"slcies": {}}, "config.yaml: slcies: unknown key: did you mean 'slices'?"),
        (
            {"slices": {"a": SLICE | {"sede": 1}}},
            "config.yaml: slices.a.sede: unknown key: did you mean 'seed'?",
        ),
        (
            {"metrics": {"normalise": "max"}},
            "config.yaml: metrics.normalise: unknown key: did you mean 'normalize'?",
        ),
        (
            {"metrics": {"pair": [{"metric": "cka", "definition": "plain", "parms": {}}]}},
            "config.yaml: metrics.pair[0].parms: unknown key: did you mean 'params'?",
        ),
        (
            {"tree": {"zzzz": 1}},
            "config.yaml: tree.zzzz: unknown key: known are alpha, epsilon",
        ),
        ({"metric": {}}, "config.yaml: metric: unknown key: did you mean 'metrics'?"),
        (
            {"slices": {"a": SLICE | {"panel": {"famly": ["mace"]}}}},
            "config.yaml: slices.a.panel.famly: unknown key: did you mean 'family'?",
        ),
        (
            {"slices": {"a": SLICE | {"filters": {"atoms": {"min": 3}}}}},
            "config.yaml: slices.a.filters.atoms.min: unknown key: known are least, most",
        ),
        (
            {"datasets": {"d": {"kind": "extxyz", "path": "p", "columns": {"ids": "x"}}}},
            "config.yaml: datasets.d.columns.ids: unknown key: did you mean 'id'?",
        ),
    ],
)
def test_an_unknown_key_gives_place_and_nearest_match(raw: Any, expected: str) -> None:
    assert message(raw) == expected


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ({"slices": {"a": SLICE | {"n": "many"}}}, "slices.a.n"),
        ({"slices": {"a": SLICE | {"n": 1}}}, "slices.a.n"),
        ({"slices": {"a": SLICE | {"seed": -1}}}, "slices.a.seed"),
        ({"slices": {"a": SLICE | {"panel": "random"}}}, "slices.a.panel"),
        ({"slices": {"a": SLICE | {"panel": ["random"]}}}, "slices.a.panel"),
        ({"slices": {"a": SLICE | {"panel": ["random", "random"]}}}, "slices.a"),
        ({"slices": {"a": {"dataset": "qm9"}}}, "slices.a.n"),
        ({"slices": {"A b": SLICE}}, "slices.A b"),
        ({"slices": {"../up": SLICE}}, "slices.../up"),
        ({"slices": {"_shared": SLICE}}, "slices._shared"),
        ({"slices": [SLICE]}, "slices"),
        ({"metrics": {"normalize": "l3"}}, "metrics.normalize"),
        ({"metrics": {"pair": []}}, "metrics.pair"),
        ({"metrics": {"memory_gb": 0}}, "metrics.memory_gb"),
        ({"metrics": {"statistics": "some"}}, "metrics.statistics"),
        ({"metrics": {"threads": 4}}, "metrics.threads"),
        ({"tree": {"alpha": 2}}, "tree.alpha"),
        ({"include": "demo.yaml"}, "include"),
    ],
)
def test_a_wrong_value_says_where(raw: Any, place: str) -> None:
    lines = message(raw).splitlines()
    assert all(line.startswith("config.yaml: ") for line in lines)
    assert any(line.startswith(f"config.yaml: {place}") for line in lines)


@pytest.mark.parametrize(
    ("section", "value", "expected"),
    [
        ("n", "1e3", "n: must be a whole number of at least 2, or all, found '1e3'"),
        ("n", 1, "n: must be at least 2, found 1"),
        ("n", 2.5, "n: must be a whole number, found 2.5"),
        ("seed", "x", "seed: must be a whole number, found 'x'"),
        ("dataset", 9, "dataset: must be text, found 9; put it in quotes"),
        (
            "panel",
            "al",
            "panel: must be a list of keys, a selection such as {family: [mace]}, or all, "
            "found 'al'",
        ),
        ("panel", ["random"], "panel: needs 2 or more, found 1"),
        ("panel", [1, "random"], "panel[0]: must be text, found 1; put it in quotes"),
        ("stratify", "atom", "stratify: unknown value 'atom': did you mean 'atoms'?"),
        ("min_coverage", 2, "min_coverage: must be at most 1, found 2"),
        ("filters", {"atoms": 3}, "filters.atoms: must be a section of keys, found 3"),
        (
            "filters",
            {"elements": {"without": [False]}},
            "filters.elements.without[0]: must be text, found false; put it in quotes",
        ),
    ],
)
def test_a_wrong_value_is_told_in_the_words_of_the_file(
    section: str, value: Any, expected: str
) -> None:
    raw = {"slices": {"a": SLICE | {section: value}}}
    assert message(raw) == f"config.yaml: slices.a.{expected}"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"metrics": {"device": "cdua"}}, "metrics.device: unknown value 'cdua': did you mean "),
        ({"metrics": {"normalize": None}}, "metrics.normalize: must be 'none', 'max', 'row_max', "),
        ({"metrics": None}, "metrics: must be a section of keys, found nothing"),
        ({"metrics": {"memory_gb": float("inf")}}, "metrics.memory_gb: must be a finite number"),
        ({"metrics": {"memory_gb": 1e-9}}, "metrics.memory_gb: must be at least 0.001"),
        ({"datasets": {"d": {"kind": "xyz"}}}, "datasets.d: unknown kind 'xyz': did you mean "),
        ({"datasets": {"d": {"path": "x"}}}, "datasets.d: needs the key 'kind'"),
        ({"slices": {1: SLICE}}, "slices.1: must be text, found 1; put it in quotes"),
    ],
)
def test_a_wrong_value_elsewhere_is_told_so_too(raw: Any, expected: str) -> None:
    assert message(raw).startswith(f"config.yaml: {expected}")


@pytest.mark.parametrize("text", ["a: [", "- 1\n", "just words", "\ta: 1", "[a, b]: 1\n"])
def test_what_is_no_mapping_in_yaml_is_refused(write: Write, text: str) -> None:
    with pytest.raises(UserError, match=r"config\.yaml"):
        load_config(write(text))


def test_a_slice_defined_twice_in_one_file_is_refused(write: Write) -> None:
    one = "slices:\n  a: {dataset: qm9, n: 5, seed: 0, panel: [random, ecfp4]}\n"
    with pytest.raises(
        UserError, match=r"config\.yaml: .*line 3, column 3: key 'a' is there twice$"
    ):
        load_config(write(one + "  a: {dataset: qm9, n: 6, seed: 0, panel: [random, ecfp4]}\n"))


def test_an_empty_file_is_an_empty_study(write: Write) -> None:
    assert load_config(write("")) == StudyConfig()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: configuration file does not exist"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="is a folder"):
        load_config(tmp_path)


def test_includes_add_their_slices_from_any_depth(write: Write) -> None:
    write({"slices": {"c": SLICE}}, "more/deep/c.yaml")
    write({"include": ["deep/c.yaml"], "slices": {"b": SLICE}}, "more/b.yaml")
    config = load_config(write({"include": ["more/b.yaml"], "slices": {"a": SLICE}}))
    assert set(config.slices) == {"a", "b", "c"}
    assert config.include == []


def test_a_slice_defined_otherwise_in_two_files_is_refused(write: Write) -> None:
    write({"slices": {"a": SLICE | {"n": 11}}}, "b.yaml")
    path = write({"include": ["b.yaml"], "slices": {"a": SLICE}})
    with pytest.raises(UserError, match=r"b\.yaml: slice 'a' is already defined otherwise"):
        load_config(path)


def test_the_same_slice_in_two_files_is_one_slice(write: Write) -> None:
    write({"slices": {"a": SLICE}}, "b.yaml")
    config = load_config(write({"include": ["b.yaml"], "slices": {"a": SLICE}}))
    assert set(config.slices) == {"a"}


def test_a_missing_include_is_named(write: Write) -> None:
    with pytest.raises(
        UserError, match=r"gone\.yaml: file does not exist; .*config.yaml includes it"
    ):
        load_config(write({"include": ["gone.yaml"]}))


def test_an_include_may_not_change_what_is_not_a_slice(write: Write) -> None:
    write({"slices": {"b": SLICE}, "metrics": {"normalize": "l2"}}, "b.yaml")
    with pytest.raises(UserError, match=r"b\.yaml: .*metrics"):
        load_config(write({"include": ["b.yaml"]}))


def test_files_that_include_each_other_are_refused(write: Write) -> None:
    write({"include": ["config.yaml"]}, "b.yaml")
    with pytest.raises(UserError, match="include"):
        load_config(write({"include": ["b.yaml"]}))


def test_an_unknown_slice_gets_the_nearest() -> None:
    config = StudyConfig.model_validate({"slices": {"qm9-demo": SLICE}})
    with pytest.raises(UserError, match="unknown slice 'qm9-dmeo': did you mean 'qm9-demo'"):
        get_slice(config, "qm9-dmeo")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            {"slices": {"a": SLICE | {"panel": ["randm", "ecfp4"]}}},
            "slice 'a': unknown model 'randm': did you mean 'random'?",
        ),
        (
            {"slices": {"a": SLICE | {"dataset": "qm8"}}},
            "slice 'a': unknown dataset 'qm8': did you mean 'qm9'?",
        ),
        (
            {"metrics": {"pair": [{"metric": "cknn", "definition": "text"}]}},
            "metrics.pair[0]: unknown metric 'cknn': did you mean 'cknna'?",
        ),
        (
            {"metrics": {"pair": [{"metric": "cknna", "definition": "txt"}]}},
            "metrics.pair[0]: unknown cknna definition 'txt': did you mean 'text'?",
        ),
        (
            {"metrics": {"model": [{"metric": "twonn", "definition": "fit", "params": {"f": 1}}]}},
            "metrics.model[0]: unknown twonn parameter 'f'",
        ),
    ],
)
def test_a_name_that_does_not_exist_gets_the_nearest(raw: Any, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        open_study(StudyConfig.model_validate(raw))
    assert str(caught.value).startswith(expected)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "raw",
    [
        {"metrics": {"pair": [{"metric": "twonn", "definition": "fit"}]}},
        {"metrics": {"model": [{"metric": "cka", "definition": "plain"}]}},
        {"metrics": {"pair": [{"metric": "cka", "definition": "plain"}] * 2}},
        {"metrics": {"pair": [{"metric": "cknna", "definition": "text", "params": {"k": 0}}]}},
        {"metrics": {"pair": [{"metric": "cknna", "definition": "text", "params": {"k": "x"}}]}},
        {"metrics": {"pair": [{"metric": "cknna", "definition": "text", "params": {"k": []}}]}},
        {"metrics": {"pair": [{"metric": "cknna", "definition": "text", "params": {"k": [5, 5]}}]}},
        {"metrics": {"model": [{"metric": "mle", "definition": "", "params": {"average": [1]}}]}},
    ],
)
def test_a_metric_in_the_wrong_place_is_refused_before_any_work(raw: Any) -> None:
    with pytest.raises(UserError, match=r"metrics\.(pair|model)\["):
        open_study(StudyConfig.model_validate(raw))


def study_of(metrics: Any = None, own: Any = None) -> Study:
    raw = {"metrics": metrics or {}, "slices": {"a": SLICE | {"metrics": own}, "b": SLICE}}
    return open_study(StudyConfig.model_validate(raw))


def test_a_list_of_k_is_one_measure_for_each() -> None:
    pair = {"metric": "information_imbalance", "definition": "rank", "params": {"k": [2, 25, 50]}}
    model = {"metric": "mle", "definition": "levina_bickel", "params": {"k": [10, 20]}}
    study = study_of({"pair": [pair], "model": [model]})
    assert [m.spec.integer("k") for m in study.pair_measures("a")] == [2, 25, 50]
    assert [m.spec.integer("k") for m in study.model_measures("a")] == [10, 20]
    assert len({m.params for m in study.pair_measures("a")}) == 3


def test_a_slice_has_its_own_lists_of_metrics_under_the_settings_of_the_study() -> None:
    pair = [{"metric": "cka", "definition": "plain"}]
    study = study_of({"normalize": "none"}, {"pair": pair})
    assert [str(m) for m in study.pair_measures("a")] == ["cka[plain]() on none-scaled latents"]
    assert study.model_measures("a") == study.model_measures("b") != ()
    assert len(study.pair_measures("b")) == len(study_of().pair_measures("b")) > 1
    assert study.score_identity("a") != study.score_identity("b")
    assert study.score_identity("b") == study_of({"normalize": "none"}).score_identity("b")
    assert study.summary_identity("a") != study.summary_identity("b")
    assert study.sample_identity("a") == study.sample_identity("b")
    assert study_of(own={"model": []}).model_measures("a") == ()


def test_a_wrong_metric_of_a_slice_is_told_with_the_slice() -> None:
    with pytest.raises(UserError, match=r"slice 'a': metrics\.pair\[0\]: .*did you mean 'cknna'"):
        study_of(own={"pair": [{"metric": "cknn", "definition": "text"}]})
    assert "slices.a.metrics" in message({"slices": {"a": SLICE | {"metrics": {"pairs": []}}}})


def test_what_only_the_machine_decides_is_no_part_of_a_scores_identity() -> None:
    def identity(**metrics: Any) -> Any:
        return study_of(metrics).score_identity("a")

    assert identity(memory_gb=1.0) == identity(memory_gb=8.0) == identity()
    assert identity(statistics=False) != identity()
    assert identity(sweep=True) != identity()
    assert study_of({"memory_gb": 0.5}).memory_bytes == 512 * 1024**2


@pytest.mark.parametrize(
    ("field", "wrong", "right"),
    [("wrapper", "sevenet", "sevennet"), ("environment", "mian", "main")],
)
def test_a_card_on_a_panel_with_a_wrong_name_is_named(
    tmp_path: Path, field: str, wrong: str, right: str
) -> None:
    fields = get_card("sevennet-0", load_cards()).model_dump(mode="json", exclude_defaults=True)
    fields |= {"key": "mine", "index": 900, "study_row": None, field: wrong}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(fields))
    raw = {"cards": [str(tmp_path)], "slices": {"a": SLICE | {"panel": ["mine", "random"]}}}
    with pytest.raises(UserError) as caught:
        open_study(StudyConfig.model_validate(raw))
    assert str(caught.value) == (
        f"slice 'a': card of mine: unknown {field} {wrong!r}: did you mean {right!r}?"
    )
