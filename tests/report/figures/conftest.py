"""A slice of nine models whose tables follow the schema, made from arrays in memory."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from matteralign.report.analysis.tables import ModelFacts, models_table
from matteralign.report.figures.style import labels_of
from matteralign.store.tidy import STATISTICS

SHA = "3f8a" * 16
FACTS = [
    ModelFacts(
        "mace-mp-small",
        "MACE-MP small",
        "MACE",
        3_847_696,
        "trained",
        SHA,
        "MIT",
        "3d",
        "invariant",
        "MPTrj",
    ),
    ModelFacts(
        "mace-off23-small",
        "MACE-OFF23 small",
        "MACE",
        694_320,
        "trained",
        SHA,
        "ASL (academic use only)",
        "3d",
        "invariant",
        "SPICE",
    ),
    ModelFacts(
        "sevennet-0",
        "SevenNet-0",
        "SevenNet",
        842_440,
        "trained",
        SHA,
        "MIT",
        "3d",
        "invariant",
        "MPTrj",
    ),
    ModelFacts(
        "sevennet-l3i5",
        "SevenNet-l3i5",
        "SevenNet",
        1_171_144,
        "trained",
        SHA,
        "MIT",
        "3d",
        "invariant",
        "MPTrj",
    ),
    ModelFacts(
        "chgnet-0.3.0",
        "CHGNet 0.3.0",
        "CHGNet",
        412_525,
        "trained",
        SHA,
        "BSD-3-Clause",
        "3d",
        "invariant",
        "MPTrj",
    ),
    ModelFacts(
        "orb-d3-xs-v2",
        "Orb-d3-xs-v2",
        "Orb",
        8_414_143,
        "trained",
        SHA,
        "Apache-2.0",
        "3d",
        "vanilla",
        "MPTrj, sAlex",
    ),
    ModelFacts(
        "rxnfp-bert",
        "rxnfp BERT",
        "rxnfp",
        5_985_280,
        "trained",
        SHA,
        "MIT",
        "smiles",
        "vanilla",
        "USPTO",
    ),
    ModelFacts(
        "ecfp4", "ECFP4", "fingerprint", 0, "none", "", "BSD-3-Clause", "smiles", "fingerprint", ""
    ),
    ModelFacts(
        "random",
        "Random baseline",
        "baseline",
        0,
        "none",
        "",
        "MIT",
        "any",
        "random",
        "",
        baseline=True,
    ),
]
KEYS = [f.model for f in FACTS]
SPECS = [
    ("cknna", "huh2024", '{"k":25,"normalize":"max"}'),
    ("cknna", "text", '{"k":25,"normalize":"max"}'),
    ("dcor", "root", '{"normalize":"max"}'),
    ("cka", "plain", '{"normalize":"max"}'),
    ("information_imbalance", "rank", '{"k":1}'),
]
GROUP = {
    "mace-mp-small": 0,
    "mace-off23-small": 0.25,
    "sevennet-0": 0.3,
    "sevennet-l3i5": 0.32,
    "chgnet-0.3.0": 0.5,
    "orb-d3-xs-v2": 0.7,
    "rxnfp-bert": 1.6,
    "ecfp4": 1.9,
}


def score_frame(keys: list[str] | None = None, seed: int = 0) -> pd.DataFrame:
    """Scores of every ordered pair of `keys` with the columns of the tidy table."""
    names = KEYS if keys is None else keys
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for a, b in itertools.combinations(names, 2):
        chance = "random" in (a, b)
        gap = abs(GROUP.get(a, rng.uniform(0, 2)) - GROUP.get(b, rng.uniform(0, 2)))
        near = 0.02 if chance else 0.55 * np.exp(-1.4 * gap) * rng.uniform(0.85, 1.1)
        for metric, definition, params in SPECS:
            if metric == "information_imbalance":
                forward = min(1.0, 0.03 + (1 - near) ** 4 * rng.uniform(0.6, 1.3))
                backward = min(1.0, 0.03 + (1 - near) ** 4 * rng.uniform(0.6, 1.3))
                if chance:
                    forward, backward = rng.normal(1, 0.03, 2)
            else:
                forward = {"cknna": near, "dcor": 0.4 + 0.6 * near, "cka": 0.2 + 0.7 * near}[metric]
                backward = forward
            for x, y, value in ((a, b, forward), (b, a, backward)):
                rows.append(_row(x, y, metric, definition, params, float(value)))
    return pd.DataFrame(rows)


def _row(a: str, b: str, metric: str, definition: str, params: str, value: float) -> dict[str, Any]:
    empty = dict.fromkeys(STATISTICS, np.nan)
    return {
        "slice": "qm9-demo",
        "dataset": "qm9",
        "sample_set_id": "5a" * 32,
        "n": 1000,
        "model_a": a,
        "model_b": b,
        "weights_a": "trained",
        "weights_b": "trained",
        "metric": metric,
        "definition": definition,
        "params": params,
        "value": value,
        "status": "ok",
        "reason": "",
        "note": "",
        "metric_version": 1,
        **empty,
        "latent_sha256_a": SHA,
        "latent_sha256_b": SHA,
    }


def calibrate(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores with statistics: a floor for all, debiased values for CKA alone."""
    out = scores.copy()
    directed = out["metric"] == "information_imbalance"
    out["null_mean"] = np.where(directed, 1.0, 0.05)
    out["null_sd"] = 0.01
    out["ci_low"], out["ci_high"] = out["value"] - 0.02, out["value"] + 0.02
    cka = out["metric"] == "cka"
    out.loc[cka, "debiased"] = (out["value"] - 0.05) / 0.95
    out["debiased_low"], out["debiased_high"] = out["debiased"] - 0.02, out["debiased"] + 0.02
    out["null_p"] = np.where(out["value"] > 0.3, 1e-9, 0.4)
    out["p_adjusted"], out["p_holm"] = out["null_p"] * 2, out["null_p"] * 2.5
    return out


def sweep_frame(scores: pd.DataFrame) -> pd.DataFrame:
    """Return three nested sizes of every score."""
    parts = [scores.assign(n=n, value=scores["value"] + 5 / n) for n in (250, 500, 1000)]
    columns = ["slice", "sample_set_id", "model_a", "model_b", "metric", "definition", "params"]
    return pd.concat(parts)[[*columns, "n", "value", "debiased"]].reset_index(drop=True)


def fail_pair(scores: pd.DataFrame, a: str, b: str, reason: str) -> pd.DataFrame:
    """Return the scores with every metric of one pair failed, both ways."""
    out = scores.copy()
    hit = out["model_a"].isin([a, b]) & out["model_b"].isin([a, b])
    out.loc[hit, ["value", "status", "reason"]] = [np.nan, "failed", reason]
    return out


def intrinsic_frame() -> pd.DataFrame:
    """Intrinsic dimensions by two estimators, the baseline far above the models."""
    values = [5.1, 5.4, 5.9, 6.0, 6.6, 8.2, 11.3, 14.2, 61.0]
    rows = [
        {
            "slice": "qm9-demo",
            "dataset": "qm9",
            "sample_set_id": "5a" * 32,
            "n": 1000,
            "model": key,
            "weights": "trained",
            "metric": metric,
            "definition": definition,
            "params": params,
            "value": value * factor,
            "status": "ok",
            "reason": "",
            "note": "",
            "metric_version": 1,
            "latent_sha256": SHA,
        }
        for key, value in zip(KEYS, values, strict=True)
        for metric, definition, params, factor in (
            ("twonn", "facco2017", '{"fraction":0.9}', 1.0),
            ("mle", "levina2004", '{"k":50}', 0.93),
        )
    ]
    return pd.DataFrame(rows)


def sidecar_dicts() -> dict[str, dict[str, Any]]:
    """One latent sidecar per model; three of them mask rows."""
    masked = {
        "mace-off23-small": [
            {
                "row": 3,
                "id": "qm9-17",
                "code": "element",
                "reason": "element Na (Z = 11) is not in the model's set",
            }
        ],
        "rxnfp-bert": [
            {"row": 5, "id": "qm9-44", "code": "smiles", "reason": "empty SMILES"},
            {"row": 9, "id": "qm9-80", "code": "smiles", "reason": "empty SMILES"},
        ],
    }
    return {
        key: {
            "model": key,
            "sample_set_id": "5a" * 32,
            "n_rows": 1000,
            "dim": 128,
            "n_valid": 1000 - len(masked.get(key, [])),
            "masked": masked.get(key, []),
        }
        for key in KEYS
    }


@pytest.fixture(scope="session")
def demo() -> SimpleNamespace:
    """Builders and constants above, for tests that need variations."""
    return SimpleNamespace(
        FACTS=FACTS,
        KEYS=KEYS,
        SHA=SHA,
        fail_pair=fail_pair,
        calibrate=calibrate,
        sweep=sweep_frame,
        sidecars=sidecar_dicts,
        labels=labels_of(models_table(FACTS)),
    )


@pytest.fixture
def scores() -> pd.DataFrame:
    """All pairs of nine models scored."""
    return score_frame()


@pytest.fixture
def intrinsic() -> pd.DataFrame:
    """Intrinsic dimensions of nine models."""
    return intrinsic_frame()
