"""The tables of one slice, ready to be written as parquet and CSV."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from matteralign.metrics.base.registry import METRICS
from matteralign.report.analysis.calibration import calibration_table, has_debiased
from matteralign.report.analysis.coverage import coverage_table, masked_reasons, masked_rows
from matteralign.report.analysis.dimensions import dimension_table
from matteralign.report.analysis.imbalance import imbalance_pairs
from matteralign.report.analysis.matrices import (
    ScoreMatrix,
    contradictions,
    parse_params,
    score_matrix,
)

if TYPE_CHECKING:
    from matteralign.registry.card import ModelCard

NOT_SCORED = ["metric", "definition", "params", "model_a", "model_b", "n", "status", "reason"]


@dataclass(frozen=True)
class ModelFacts:
    """What tables, figures and the report say about one model.

    Attributes
    ----------
    model, name, family
        Key, display name, model family.
    parameters
        Number of parameters of the network that ran; None when the card does not say.
    weights
        ``trained``, ``untrained`` or ``none`` (nothing to train).
    checkpoint_sha256, licence
        Of the weights file; "" where there is none.
    hash_from
        Where the hashes of its files are from, see `Checkpoint.hash_from`.
    input, embedding, functional, training_sets
        As on the card; training sets joined by commas.
    group
        Architecture group; where the card names none, the family.
    study_row
        Row of the study's Table 1; "" for others.
    parameters_card, parameters_study, parameters_note
        The model's own count, the one that the study prints, and why they differ, or how the
        first was counted.
    printed
        What else Table 1 prints otherwise than the card has it, and why; "" where nothing.
    prompt
        Whose words the prompt of a chat model has: ``study`` or ``own``; "" for others.
    baseline
        True for the random baseline.
    """

    model: str
    name: str
    family: str
    parameters: int | None
    weights: str
    checkpoint_sha256: str = ""
    licence: str = ""
    input: str = ""
    embedding: str = ""
    functional: str = ""
    training_sets: str = ""
    group: str = ""
    study_row: str = ""
    parameters_card: int | None = None
    parameters_study: int | None = None
    parameters_note: str = ""
    printed: str = ""
    prompt: str = ""
    hash_from: str = ""
    baseline: bool = False


def facts_of(card: ModelCard, sidecar: Mapping[str, Any] | None = None) -> ModelFacts:
    """Read the facts of a model card; the baseline is the card whose embedding is random.

    What the latents were made with, weights, their hash and parameter count, is the sidecar's
    to say where there is one: it may be an untrained network.
    """
    used: Mapping[str, Any] = (sidecar or {}).get("checkpoint", {})
    return ModelFacts(
        model=card.key,
        name=card.name,
        family=card.family,
        parameters=used.get("parameters", card.parameters.measured),
        weights=used.get("weights", card.checkpoint.weights),
        checkpoint_sha256=used.get("sha256", card.checkpoint.digest()) or "",
        licence=card.checkpoint.licence,
        input=card.modality,
        embedding=card.embedding,
        functional=card.functional,
        training_sets=", ".join(card.training_sets),
        group=card.group or card.family,
        study_row=card.study_row or "",
        parameters_card=card.parameters.measured,
        parameters_study=card.parameters.study,
        parameters_note=card.parameters.note or "",
        printed=_printed(card),
        prompt=_prompt(card, sidecar),
        hash_from=card.checkpoint.hash_from(),
        baseline=card.embedding == "random",
    )


def _printed(card: ModelCard) -> str:
    if card.printed is None:
        return ""
    told = [
        f"{name} {', '.join(value) if isinstance(value, list) else value}"
        for name, value in card.printed
        if name != "note" and value is not None
    ]
    return f"{'; '.join(told)} ({card.printed.note})"


def _prompt(card: ModelCard, sidecar: Mapping[str, Any] | None) -> str:
    if card.prompt is None:
        return ""
    if sidecar is None:
        return card.prompt.words
    return str(sidecar.get("prompt", {}).get("words", "own"))


def told_apart(models: Sequence[ModelFacts]) -> list[ModelFacts]:
    """Return the facts with keys for names where two models would be shown by one name."""
    count = Counter(m.name for m in models)
    return [replace(m, name=m.model) if count[m.name] > 1 else m for m in models]


def models_table(models: Iterable[ModelFacts]) -> pd.DataFrame:
    """Return one row per model with the fields of `ModelFacts`; counts as Int64."""
    fields = list(ModelFacts.__dataclass_fields__)
    frame = pd.DataFrame([[getattr(m, f) for f in fields] for m in models], columns=fields)
    counts = [
        name for name in fields if name in ("parameters", "parameters_card", "parameters_study")
    ]
    return frame.astype({**dict.fromkeys(counts, "Int64"), "baseline": bool})


def score_specs(scores: pd.DataFrame) -> list[tuple[str, str, str]]:
    """List the (metric, definition, params) of a score table, metrics in their order."""
    specs = scores[["metric", "definition", "params"]].drop_duplicates()
    rank = {name: i for i, name in enumerate(METRICS)}
    return sorted(
        ((str(m), str(d), str(p)) for m, d, p in specs.itertuples(index=False, name=None)),
        key=lambda s: (rank.get(s[0], len(rank)), *s),
    )


def spec_slug(metric: str, definition: str, params: str) -> str:
    """Name a parameter set for a file: ``cknna_huh2024_k-25_normalize-max``."""
    options = parse_params(params)
    parts = [metric, definition, *(f"{k}-{v}" for k, v in sorted(options.items()))]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "_".join(parts))


def matrix_table(matrix: ScoreMatrix, weights: Mapping[str, str]) -> pd.DataFrame:
    """Return a matrix after its model keys, ``model``, and what each ran on, ``weights``."""
    frame = matrix.values.reset_index()
    frame.columns = pd.Index([str(name) for name in frame.columns])
    return with_weights(frame, weights)


def with_weights(frame: pd.DataFrame, weights: Mapping[str, str]) -> pd.DataFrame:
    """Say what each model of a table ran on, beside its key."""
    out = frame.copy()
    for model in ("model", "model_a", "model_b"):
        if model in out:
            column = model.replace("model", "weights")
            out.insert(list(out).index(model) + 1, column, out[model].map(weights))
    return out


def not_scored_table(scores: pd.DataFrame) -> pd.DataFrame:
    """List every score that is not ok, or whose two directions contradict each other."""
    without = [scores.loc[scores["status"] != "ok", NOT_SCORED], contradictions(scores)[NOT_SCORED]]
    return pd.concat([part for part in without if len(part)] or without[:1], ignore_index=True)


def build_tables(
    scores: pd.DataFrame,
    intrinsic: pd.DataFrame,
    sidecars: Mapping[str, Mapping[str, Any]],
    models: Sequence[ModelFacts],
) -> dict[str, pd.DataFrame]:
    """Build every table of a slice.

    Parameters
    ----------
    scores
        Tidy score table of the slice.
    intrinsic
        Tidy intrinsic-dimension table.
    sidecars
        Latent sidecars by model key.
    models
        Facts of the panel's models; their order is the order of the rows.

    Returns
    -------
    dict
        File stem → frame: models, coverage, masked_reasons, masked_rows, not_scored,
        intrinsic_dimension (tidy), intrinsic_dimension_wide, calibration, ``matrix_<spec>``
        for every metric, definition and params, ``matrix_<spec>_debiased`` where there are
        debiased values, ``information_imbalance_pairs_<spec>``.

    Raises
    ------
    UserError, MatterAlignError
        As the functions of this room.
    """
    keys = [m.model for m in models]
    weights = {m.model: m.weights for m in models}
    ordered = {key: sidecars[key] for key in keys if key in sidecars}
    tables = {
        "models": models_table(models),
        "coverage": coverage_table(ordered),
        "masked_reasons": masked_reasons(ordered),
        "masked_rows": masked_rows(ordered),
        "not_scored": with_weights(not_scored_table(scores), weights),
        "intrinsic_dimension": intrinsic.reset_index(drop=True),
        "intrinsic_dimension_wide": with_weights(dimension_table(intrinsic, keys), weights),
        "calibration": calibration_table(scores, keys),
    }
    for metric, definition, params in score_specs(scores):
        slug = spec_slug(metric, definition, params)
        tables[f"matrix_{slug}"] = matrix_table(
            score_matrix(scores, metric, definition, params, keys), weights
        )
        if has_debiased(scores, metric, definition, params):
            tables[f"matrix_{slug}_debiased"] = matrix_table(
                score_matrix(scores, metric, definition, params, keys, column="debiased"), weights
            )
        if METRICS[metric].figure == "plane":
            options = slug.removeprefix(f"{metric}_")
            tables[f"{metric}_pairs_{options}"] = with_weights(
                imbalance_pairs(scores, params, keys, definition), weights
            )
    return tables
