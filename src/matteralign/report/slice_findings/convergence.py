"""Whether models with smaller errors of energies agree more with the best (figures 1B and 3)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from matteralign.findings.energies.convergence import Convergence, convergence
from matteralign.metrics.base.registry import METRICS
from matteralign.report.analysis.calibration import has_debiased
from matteralign.report.analysis.matrices import both_ways
from matteralign.report.figures.captions import count_text, definition_name, options_text
from matteralign.report.figures.findings.convergence import Panel, convergence_figure
from matteralign.report.slice_findings.results import Drawing, SliceResults

Spec = tuple[str, str, str]
CORRELATIONS = ["best", "chosen_by", "metric", "definition", "params", "column", "scope"]
CORRELATIONS += ["models", "spearman", "ci_low", "ci_high", "p", "note"]


def absent(results: SliceResults) -> str | None:
    """Return why the slice has no such finding."""
    spec, best = results.convergence
    name = "alignment to the best model"
    if spec is None:
        return f"{name}: neither CKNNA nor dCor is asked for"
    errors = _errors(results)
    if best is not None and best not in errors:
        return f"{name}: {best}, which convergence.best names, has no error of energies"
    if len(errors) < 3:
        return f"{name}: {len(errors)} models have an error of energies, it takes three"
    return None


def _errors(results: SliceResults) -> dict[str, float]:
    """Return the MAE in eV of each model that has one."""
    found = {} if results.energies is None else results.energies.regressions
    errors = {key: found[key].mae.value for key in results.keys if key in found}
    return {
        key: mae for key, mae in errors.items() if mae is not None and key not in results.baselines
    }


def _compared(results: SliceResults) -> list[str]:
    """Return the models that are correlated: trained ones, or all where none is trained."""
    errors = _errors(results)
    trained = [key for key in errors if not results.labels[key].untrained]
    best = results.convergence[1]
    return trained if len(trained) >= 3 and best in (None, *trained) else list(errors)


def _spec(results: SliceResults) -> Spec:
    spec = results.convergence[0]
    return ("", "", "") if spec is None else spec


def _found(results: SliceResults, column: str) -> tuple[str, list[Convergence]]:
    errors, keys = _errors(results), _compared(results)
    scores = both_ways(results.matrix(_spec(results), column).values).loc[keys, keys]
    families = [results.labels[key].family for key in keys]
    best = results.convergence[1]
    place, found = convergence(
        np.array([errors[key] for key in keys]),
        scores.to_numpy(float),
        families,
        best=None if best is None else keys.index(best),
    )
    return keys[place], found


def _columns(results: SliceResults) -> list[str]:
    both = has_debiased(results.scores, *_spec(results))
    return ["value", "debiased"] if both else ["value"]


def tables(results: SliceResults) -> dict[str, pd.DataFrame]:
    """Return one row per model, and the correlations over models and within families."""
    rows = []
    for column in _columns(results):
        best, found = _found(results, column)
        chosen = "smallest MAE" if results.convergence[1] is None else "configuration"
        for one in found:
            told = (best, chosen, *_spec(results), column, one.scope, one.models, one.spearman)
            rows.append((*told, one.low, one.high, one.p, one.note))
    return {
        "convergence": _points(results, str(rows[0][0])),
        "convergence_correlation": pd.DataFrame(rows, columns=CORRELATIONS),
    }


def _points(results: SliceResults, best: str) -> pd.DataFrame:
    metric, definition, params = spec = _spec(results)
    regressions = {} if results.energies is None else results.energies.regressions
    compared = set(_compared(results))
    of = results.scores
    of = of[(of["metric"] == metric) & (of["definition"] == definition) & (of["params"] == params)]
    values = {c: both_ways(results.matrix(spec, c).values)[best] for c in _columns(results)}
    known = {fact.model: fact for fact in results.facts}
    rows = []
    for key in _errors(results):
        pair = of[
            ((of["model_a"] == key) & (of["model_b"] == best))
            | ((of["model_a"] == best) & (of["model_b"] == key))
        ]
        mean = pair[["null_mean", "ci_low", "ci_high", "debiased_low", "debiased_high"]].mean()
        mae = regressions[key].mae
        rows.append(
            {
                "model": key,
                "family": known[key].family,
                "parameters": known[key].parameters,
                "best": key == best,
                "correlated": key in compared and key != best,
                "mae": mae.value,
                "mae_low": mae.low,
                "mae_high": mae.high,
                "n": int(pair["n"].min()) if len(pair) else 0,
                "value": np.nan if key == best else values["value"][key],
                "ci_low": mean["ci_low"],
                "ci_high": mean["ci_high"],
                "floor": mean["null_mean"],
                "debiased": np.nan
                if key == best or "debiased" not in values
                else values["debiased"][key],
                "debiased_low": mean["debiased_low"],
                "debiased_high": mean["debiased_high"],
            }
        )
    numbers = ["mae", "mae_low", "mae_high", "value", "ci_low", "ci_high", "floor"]
    numbers += ["debiased", "debiased_low", "debiased_high"]
    frame = pd.DataFrame(rows)
    return frame.astype({**dict.fromkeys(numbers, float), "parameters": "Int64"})


def drawings(results: SliceResults) -> Iterator[Drawing]:
    """Yield the alignment of each model to the best one against its error of energies."""
    made = tables(results)
    points, correlation = made["convergence"], made["convergence_correlation"]
    shown = points[points["value"].notna()]
    if shown.empty:
        return
    metric, definition, params = _spec(results)
    best = str(correlation["best"].iloc[0])
    counted = count_text(int(shown["n"].min()), int(shown["n"].max()))
    name = METRICS[metric].display_name
    of_all = correlation[correlation["scope"] == "all models"].set_index("column")
    panels = [
        Panel(
            column,
            f"{METRICS[metric].short_name} to {results.labels[best].text}"
            + ("" if column == "value" else ", debiased"),
            _told(of_all.loc[column]),
        )
        for column in of_all.index
    ]
    heads = (
        "Errors of energies and alignment to the best model",
        f"{results.dataset} · {name} {definition} · {options_text(params)} · {counted}",
    )
    figure = convergence_figure(points, results.labels, panels, heads)
    yield Drawing("convergence", heads[0], _caption(results, correlation, best, counted), figure)


def _told(row: pd.Series) -> str:
    if np.isnan(row["spearman"]):
        return f"no correlation ({row['models']} models)"
    text = f"Spearman {row['spearman']:.2f}"
    if np.isfinite(row["ci_low"]):
        text += f" [{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
    if np.isfinite(row["p"]):
        text += f", p = {row['p']:.2g}"
    return f"{text}, {row['models']} models".replace("-", "−")


def _caption(results: SliceResults, correlation: pd.DataFrame, best: str, counted: str) -> str:
    metric, definition, params = _spec(results)
    by_data = correlation["chosen_by"].iloc[0] == "smallest MAE"
    trained = all(not results.labels[key].untrained for key in _compared(results))
    name = results.labels[best].text
    text = (
        f"Alignment of each model to {name} on {results.dataset} against its error of energies "
        f"(composition aside, tables/energy_regression). {name} "
        + ("has the smallest error" if by_data else "is named in the configuration")
        + "; its score with itself is 1 by definition and is left out. Spearman's correlation is "
        "over the models beside it; its 95 % interval resamples the models"
        + (" and chooses the best of each resample anew" if by_data else "")
        + "; p permutes the errors (two-sided). "
    )
    if not trained:
        text += "No model is trained, so this says nothing about the published ones. "
    elif any(results.labels[key].untrained for key in _errors(results)):
        text += "Models on untrained weights are drawn and not correlated. "
    within = correlation[
        (correlation["scope"] == "within families") & (correlation["column"] == "value")
    ]
    if len(within) and np.isfinite(within["spearman"].iloc[0]):
        row = within.iloc[0]
        p = f", p = {row['p']:.2g}" if np.isfinite(row["p"]) else ""
        text += f"Within families: {row['spearman']:.2f} ({row['models']} models{p}). ".replace(
            "-", "−"
        )
    text += "Bars: 95 % intervals over the structures. Lines join models of one family. "
    return (
        f"{text}{METRICS[metric].display_name}, definition {definition_name(metric, definition)}, "
        f"{options_text(params)}, {counted}."
    )
