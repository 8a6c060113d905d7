"""Which structures each model could take, and why it could not take the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from matteralign.core.errors import IntegrityError

COVERAGE_COLUMNS = ["model", "n_rows", "n_valid", "n_masked", "coverage", "dim"]
REASON_COLUMNS = ["model", "code", "count", "example_id", "example_reason"]
MASKED_COLUMNS = ["model", "row", "id", "code", "reason"]


def coverage_table(sidecars: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Count the rows of each model.

    Parameters
    ----------
    sidecars
        Latent sidecar of each model key, in the order wanted.

    Returns
    -------
    DataFrame
        model, n_rows, n_valid, n_masked, coverage (valid share, 0 to 1), dim.

    Raises
    ------
    IntegrityError
        If a sidecar's counts disagree, or the sidecars are of different sample sets.
    """
    _require_one_sample_set(sidecars)
    rows = []
    for model, sidecar in sidecars.items():
        total, valid = int(_field(sidecar, model, "n_rows")), int(_field(sidecar, model, "n_valid"))
        masked = len(_field(sidecar, model, "masked"))
        if valid + masked != total:
            raise IntegrityError(
                f"latents/{model}.json: n_rows is {total}, but {valid} valid and {masked} "
                "masked rows are listed; embed the model again"
            )
        share = valid / total if total else 0.0
        rows.append((model, total, valid, masked, share, int(_field(sidecar, model, "dim"))))
    return pd.DataFrame(rows, columns=COVERAGE_COLUMNS)


def masked_rows(sidecars: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """List every masked row: model, row, id, code, reason, in the order of the sidecars."""
    rows = [
        (model, int(entry["row"]), str(entry["id"]), str(entry["code"]), str(entry["reason"]))
        for model, sidecar in sidecars.items()
        for entry in _field(sidecar, model, "masked")
    ]
    frame = pd.DataFrame(rows, columns=MASKED_COLUMNS)
    return frame if len(frame) else frame.astype({"row": "int64"})


def masked_reasons(sidecars: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Count masked rows by model and reason code, with the first one as an example.

    Returns
    -------
    DataFrame
        model, code, count, example_id, example_reason; the most frequent code first.
    """
    every = masked_rows(sidecars)
    rows = []
    for model in sidecars:
        mine = every[every["model"] == model]
        counts = sorted(mine["code"].value_counts().items(), key=lambda c: (-int(c[1]), str(c[0])))
        for code, count in counts:
            first = mine[mine["code"] == code].iloc[0]
            rows.append((model, code, int(count), first["id"], first["reason"]))
    return pd.DataFrame(rows, columns=REASON_COLUMNS)


def _field(sidecar: Mapping[str, Any], model: str, key: str) -> Any:
    if key not in sidecar:
        raise IntegrityError(f"latents/{model}.json: key {key!r} is missing; embed the model again")
    return sidecar[key]


def _require_one_sample_set(sidecars: Mapping[str, Mapping[str, Any]]) -> None:
    owner: dict[str, str] = {}
    for model, sidecar in sidecars.items():
        owner.setdefault(str(_field(sidecar, model, "sample_set_id")), model)
    if len(owner) > 1:
        (first, a), (second, b) = list(owner.items())[:2]
        raise IntegrityError(
            f"latents/{a}.json is of sample set {first}, latents/{b}.json of {second}: "
            "embed both on the same slice"
        )
