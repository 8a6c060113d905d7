"""The pages of schemas name every column and key that is written, and no other."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import matteralign
from matteralign.metrics import METRICS
from matteralign.registry.load import load_cards
from matteralign.report.analysis.tables import build_tables, facts_of
from matteralign.stages.embed import identity_of
from matteralign.stages.score import score_slice
from matteralign.stages.study.wanted import settle_slice
from matteralign.stages.summarize import summarize_model
from matteralign.store import predictions, structures
from matteralign.store.replicates import REPLICATES
from matteralign.store.tidy import DIMENSIONS, SCORES, SWEEP, read_frame

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = "".join(
    # A heading that both have is a pointer in the first.
    (DOCS / name).read_text(encoding="utf-8")
    for name in ("schemas.md", "schemas-analyses.md")
)
WORKER = Path(matteralign.__file__).parent / "models" / "worker.py"
Table = dict[str, tuple[str, ...]]


def section(title: str) -> str:
    """Return the text below a heading, up to the next one."""
    (text,) = re.findall(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S)
    return str(text)


def tables(title: str) -> list[Table]:
    """Return the tables of columns or keys in a section: by name, the other cells of its row."""
    found: list[Table] = []
    for block in re.findall(
        r"^\| (?:column|key|array) \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", section(title), re.M
    ):
        rows = [[c.strip() for c in line.strip("|\n").split(" | ")] for line in block.splitlines()]
        names = [name for row in rows for name in row[0].split(", ")]
        assert len(names) == len(set(names)), f"{title}: a name is there twice"
        found.append({n: tuple(row[1:]) for row in rows for n in row[0].split(", ")})
    return found


def columns(title: str) -> list[str]:
    (only,) = tables(title)
    return list(only)


def spelled(kind: pa.DataType) -> str:
    """Return a type as the page writes it."""
    if pa.types.is_fixed_size_list(kind):
        return f"list of {kind.list_size} {spelled(kind.value_type)}"
    if pa.types.is_list(kind):
        return f"list of {spelled(kind.value_type)}"
    return str(kind).replace("double", "float64")


@pytest.mark.parametrize(
    ("title", "schema"),
    [
        ("`structures.parquet`", structures.schema()),
        ("`predictions/<model>.parquet`", predictions.SCHEMA),
        ("`scores.parquet`", SCORES),
        ("`replicates.parquet`", REPLICATES),
        ("`sweep.parquet`", SWEEP),
        ("`tables/intrinsic_dimension.parquet`", DIMENSIONS),
    ],
)
def test_columns_and_types_are_those_of_the_schema(title: str, schema: pa.Schema) -> None:
    (told,) = tables(title)
    assert sorted(told) == sorted(schema.names)
    for field in schema:
        kind, *_ = told[field.name][0].split(", ")
        assert kind == spelled(field.type), field.name
        if title not in ("`structures.parquet`", "`predictions/<model>.parquet`"):
            assert told[field.name][0].endswith("may be null") == field.nullable, field.name


METRICS_ASKED = {
    "sweep": True,
    "pair": [
        {"metric": "cknna", "definition": "text", "params": {"k": 5}},
        {"metric": "information_imbalance", "definition": "rank", "params": {"k": 1}},
    ],
    "model": [{"metric": "twonn", "definition": "fit"}],
}


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, tiny_study_at: Callable[..., Any]) -> Any:
    """A small study whose models, but for the embedding, went through every stage."""
    tiny = tiny_study_at(tmp_path_factory.mktemp("page"), ["a", "b"], 64, METRICS_ASKED)
    rng = np.random.default_rng(0)
    settle_slice(tiny.study, tiny.layout, lambda _: None)
    for key in ("a", "b"):
        tiny.write(key, rng.normal(size=(64, 4)), {3: "element Na"})
        summarize_model(tiny.study, tiny.layout, key, threads=1)
    score_slice(tiny.study, tiny.layout, report=lambda _: None)
    return tiny


def keys(path: Path) -> set[str]:
    return set(json.loads(path.read_text()))


def test_the_sidecar_of_neighbours_and_their_arrays(scored: Any) -> None:
    arrays, sidecar = tables("`neighbors/<model>.npz` and `.json`")
    assert set(sidecar) == keys(scored.layout.neighbors_sidecar("a"))
    with np.load(scored.layout.neighbors("a")) as bundle:
        assert {name.rsplit(".", 1)[1] for name in bundle.files} == set(arrays)
        for name in bundle.files:
            kind = arrays[name.rsplit(".", 1)[1]][0]
            assert kind.startswith(f"{bundle[name].dtype}, ")
    found = json.loads(scored.layout.neighbors_sidecar("a").read_text())
    assert set(found["intrinsic"][0]) == {*DIMENSIONS.names} - {"weights"}
    (inner,) = found["scalings"].values()
    assert set(inner) <= set(re.findall(r"`(\w+)`", sidecar["scalings"][0]))


def test_the_ledger(scored: Any) -> None:
    (line, *_) = scored.layout.ledger.read_text().splitlines()
    (batch,) = json.loads(line).values()
    for score in batch.values():
        assert sorted(score) == sorted(columns("`scores/`"))


def test_what_is_wanted(scored: Any) -> None:
    wanted = scored.layout.wanted("sample")
    assert keys(wanted) <= set(columns("`.wanted/`"))


def test_the_sidecar_of_latents(scored: Any, tmp_path: Path) -> None:
    card = load_cards()["composition"]
    study, layout = scored.study, scored.layout
    study.cards[card.key] = card
    job = {
        "verb": "embed",
        "card": card.model_dump(mode="json"),
        "structures": str(layout.structures),
        "latent": str(tmp_path / "c.npy"),
        "predictions": str(tmp_path / "c.parquet"),
        "shards": str(tmp_path / "shards"),
        "identity": identity_of(study, layout, card, scored.sample_set_id),
    }
    (tmp_path / "job.json").write_text(json.dumps(job))
    subprocess.run([sys.executable, "-I", str(WORKER), str(tmp_path / "job.json")], check=True)
    told = set(columns("`latents/<model>.npy` and `.json`"))
    assert told == keys(tmp_path / "c.json") | {"prompt", "taken_from"}
    about = section("`predictions/<model>.parquet`")
    metadata = predictions.read_predictions_metadata(tmp_path / "c.parquet")
    assert set(re.findall(r"`matteralign\.(\w+)`", about)) == set(metadata)


def test_the_tables(scored: Any) -> None:
    layout = scored.layout
    cards = [*scored.study.cards.values()][:2]
    sidecars = {key: json.loads(layout.latent_sidecar(key).read_text()) for key in "ab"}
    scores = read_frame(layout.scores, SCORES)
    rows = [
        row | {"weights": "none"}
        for key in "ab"
        for row in json.loads(layout.neighbors_sidecar(key).read_text())["intrinsic"]
    ]
    made = build_tables(scores, pd.DataFrame(rows), sidecars, [facts_of(card) for card in cards])
    free = {"intrinsic_dimension_wide"} | {name for name in made if name.startswith("matrix_")}
    for name in set(made) - free:
        title = re.sub(r"_pairs_.*", "_pairs_<score>", name)
        assert sorted(columns(f"`tables/{title}.parquet`")) == sorted(made[name]), name
    for name in ("intrinsic_dimension_wide", "matrix_<score>"):
        assert section(f"`tables/{name}.parquet`")
    for name in free:
        assert list(made[name])[:2] == ["model", "weights"]


def _in_backticks(text: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if f"`{name}`" not in text]


def test_every_metric_is_documented() -> None:
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    named: Sequence[str] = [n for i in METRICS.values() for n in (i.name, *i.definitions)]
    assert not _in_backticks(text, named)
