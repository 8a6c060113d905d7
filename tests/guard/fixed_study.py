"""The tables of a small fixed study, as text: what a change of structure must leave as it is.

``python -m tests.guard FOLDER`` writes them; two folders, written before and after a change on
one machine, hold the same bytes when nothing moved (``diff -r``). The digests in
``digests.json`` are of the same tables with their numbers rounded, so that they hold on other
machines too; ``python -m tests.guard --keep`` writes them anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from matteralign.core.hashing import sha256_bytes
from matteralign.metrics import METRICS, MetricSpec, PairScore, compare
from matteralign.metrics.base.card import Ranks, Sums
from matteralign.report.slice_view import SliceView
from matteralign.stages.score import score_slice
from matteralign.stages.summarize import summarize_model
from tests.conftest import study_in

KEPT = Path(__file__).parent / "digests.json"
N = 144
DIGITS = 6
# Below this a number is what rounding left of a difference.
NOTHING = 1e-9
# Two scalings that read other neighbours, and what each definition's source does.
SCALINGS = ("max", "row_max")


def latents() -> dict[str, tuple[np.ndarray, dict[int, str]]]:
    """Return the latents of each model, shape (N, d), float32, with the reasons of masked rows.

    They are made of sums and products of single elements only, which every machine rounds alike.
    """
    rng = np.random.default_rng(20251203)
    hidden = rng.normal(size=(N, 4))

    def seen(width: int, noise: float) -> np.ndarray:
        weights = rng.normal(size=(4, width))
        signal = sum(hidden[:, [i]] * weights[i] for i in range(4))
        return np.asarray(signal + noise * rng.normal(size=(N, width)), np.float32)

    groups = rng.integers(0, 4, size=N)
    clustered = seen(12, 0.5) + np.float32(8.0) * rng.normal(size=(4, 12))[groups].astype("f4")
    bits = (seen(24, 1.0) > 0.6).astype(np.float32)
    repeated = seen(7, 0.2)
    repeated[N // 2 :: 3] = repeated[: len(repeated[N // 2 :: 3])]
    heavy = seen(9, 0.3)
    heavy[5] *= np.float32(1000.0)
    heavy[[8, 21]] = -np.abs(heavy[[8, 21]])
    few = dict.fromkeys(range(3, N), "element Na")
    return {
        "plain": (seen(16, 0.3), {}),
        "clustered": (clustered, {3: "element Na", 40: "element Na", 41: "element Na"}),
        "bits": (bits, {}),
        "repeated": (repeated, {3: "element Na", 99: "too many atoms"}),
        "heavy": (heavy, {}),
        "few": (seen(6, 0.1), few),
        "noise": (rng.normal(size=(N, 5)).astype(np.float32), {}),
    }


def requests() -> dict[str, Any]:
    """Return the section ``metrics``: every definition of every metric on every scaling."""
    small = {"k": 5, "permutations": 6}
    asked: dict[str, list[dict[str, Any]]] = {"pair": [], "model": []}
    for info in METRICS.values():
        for definition in info.definitions.values():
            params = {name: value for name, value in small.items() if name in definition.params}
            for scaling in SCALINGS:
                asked[info.kind].append(
                    {
                        "metric": info.name,
                        "definition": definition.name,
                        "params": params,
                        "normalize": scaling,
                    }
                )
    unit = {"metric": "cknna", "definition": "huh2024"}
    asked["pair"] += [unit | {"params": {"k": 5}}, unit | {"params": {"k": 20}}]
    asked["pair"].append(
        {"metric": "information_imbalance", "definition": "rank", "params": {"k": 1}}
    )
    return {**asked, "sweep": True}


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Run the stages on the fixed latents in a folder; return every table by name."""
    made = latents()
    tiny = study_in(folder, list(made), N, requests())
    for key, (values, masked) in made.items():
        tiny.write(key, values, masked)
        summarize_model(tiny.study, tiny.layout, key, threads=1)
    score_slice(tiny.study, tiny.layout, threads=1, report=lambda line: None)
    view = SliceView(tiny.study, tiny.layout)
    assert view.sweep is not None
    lines = (tiny.layout.scores.parent / "scores" / ".ledger.jsonl").read_text().splitlines()
    keys = sorted(key for line in lines for key in json.loads(line)["batch"])
    return {
        "scores": view.scores,
        "sweep": view.sweep,
        "dimensions": view.dimensions,
        "ledger": pd.DataFrame({"key": keys}),
        **{f"tables-{name}": table for name, table in view.tables.items()},
    }


def single_precision() -> pd.DataFrame:
    """Return the scores of the streamed metrics with tiles of single precision."""
    members = {key: values for key, (values, _) in latents().items()}
    names = list(members)
    specs = [
        MetricSpec(info.name, definition)
        for info in METRICS.values()
        for definition in info.definitions
        if isinstance(info.definitions[definition].reads, Sums | Ranks)
    ]
    pairs = [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]
    found = compare(members, pairs, specs, precision="single", normalize="max")
    return pd.DataFrame([_row(score) for score in found])


def _row(score: PairScore) -> dict[str, Any]:
    said = score.scored
    return {
        "a": score.a,
        "b": score.b,
        "spec": str(score.spec),
        "value": said.value,
        "debiased": said.debiased,
        "null_mean": said.null_mean,
        "null_sd": said.null_sd,
        "null_p": said.null_p,
        "ci_low": said.ci_low,
        "ci_high": said.ci_high,
        "status": said.status,
        "reason": said.reason,
        "note": said.note,
        "n": said.n,
    }


def write(folder: Path, found: dict[str, pd.DataFrame]) -> None:
    """Write tables as CSV, every digit of every number."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in found.items():
        (folder / f"{name}.csv").write_text(_text(table, repr), encoding="utf-8")


def digests(found: dict[str, pd.DataFrame]) -> dict[str, str]:
    """Return a hash of each table with its numbers rounded."""
    return {name: sha256_bytes(_text(t, _rounded).encode()) for name, t in sorted(found.items())}


def _rounded(number: float) -> str:
    return "0" if abs(number) < NOTHING else f"{number:.{DIGITS}g}"


def _text(table: pd.DataFrame, number: Callable[[float], str]) -> str:
    def cell(value: Any) -> str:
        if isinstance(value, float | np.floating):
            return "" if np.isnan(value) else number(float(value))
        return json.dumps(value, default=str)

    lines = [",".join(map(str, table.columns))]
    lines += [",".join(map(cell, row)) for row in table.itertuples(index=False, name=None)]
    return "\n".join(lines) + "\n"
