"""The study's claims (C1 to C8), each tested under every choice that the slices offer.

Models that ran on untrained weights, and random baselines unless the claim is about them, take no
part: nothing is confirmed or refuted by a network that was never trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from matteralign.findings.across.claims import SPECIFICATION_COLUMNS, UNTESTED, outcome, summary
from matteralign.findings.aspects import MIDDLE, fact_of
from matteralign.findings.pairwise import (
    LEAST_MODELS,
    matrix_correlation,
    over_models,
    spearman,
)
from matteralign.metrics.base.registry import METRICS
from matteralign.report.across.analysis_view import AnalysisView, Findings
from matteralign.report.analysis.calibration import has_debiased
from matteralign.report.analysis.imbalance import imbalance_pairs
from matteralign.report.analysis.matrices import complete_models, parse_params
from matteralign.report.analysis.tables import ModelFacts
from matteralign.report.figures.across.specifications import specification_figure
from matteralign.report.slice_findings.results import Drawing
from matteralign.report.slice_view import SliceView

Spec = tuple[str, str, str]
Estimate = tuple[float, float, float]
LOCAL, GLOBAL = ("cknna", "mutual_knn"), ("dcor", "cka")


@dataclass(frozen=True)
class Claim:
    """One claim, or the part of one that a single number decides.

    Attributes
    ----------
    says
        What the study says.
    statistic
        The number that decides, in words.
    border
        The claim holds above it.
    test
        Yields the specifications.
    """

    says: str
    statistic: str
    border: float
    test: Callable[[AnalysisView, Claim], Iterator[_Tested]]


@dataclass(frozen=True)
class _Tested:
    """One specification; `reason` says why there is no estimate."""

    slice: str = ""
    dataset: str = ""
    spec: Spec | None = None
    column: str = "value"
    n: int = 0
    models: int = 0
    estimate: Estimate | None = None
    reason: str = ""


def find(view: AnalysisView) -> Findings:
    """Test every claim and draw the specification curve of each that was tested."""
    rows = []
    for name, claim in CLAIMS.items():
        tested = list(claim.test(view, claim))
        rows += [_row(name, claim, found) for found in tested]
    table = pd.DataFrame(rows, columns=SPECIFICATION_COLUMNS)
    about = pd.DataFrame(
        {
            n: {"says": c.says, "statistic": c.statistic, "border": c.border}
            for n, c in CLAIMS.items()
        }
    ).T
    verdicts = summary(table, about)
    out = Findings(tables={"claims": verdicts, "specifications": table})
    for row in verdicts.itertuples(index=False):
        own = table[(table["claim"] == row.claim) & (table["outcome"] != UNTESTED)]
        if own.empty:
            continue
        border = CLAIMS[str(row.claim)].border
        title = f"{row.claim}: {row.verdict}"
        caption = (
            f"{row.says} Tested by: {row.statistic}; it holds above {border:g}. Verdict: "
            f"{row.verdict} ({row.why}). Bars: 95 % intervals from leaving out one model at a "
            "time. Models with untrained weights take no part."
        )
        figure = specification_figure(own, (title, str(row.statistic)), border)
        out.drawings.append(Drawing(f"specifications_{row.claim}", title, caption, figure))
    return out


def _row(name: str, claim: Claim, found: _Tested) -> dict[str, object]:
    metric, definition, params = found.spec or ("", "", "{}")
    options = parse_params(params)
    value, low, high = found.estimate or (np.nan, np.nan, np.nan)
    told = outcome(value, low, high, claim.border)
    reason = found.reason
    if told == UNTESTED and not reason:
        reason = (
            f"no interval of {found.models} models: they are too few, or one of them carries "
            "every pair of one kind"
        )
    return {
        "claim": name,
        "slice": found.slice,
        "metric": metric,
        "definition": definition,
        "scaling": str(options.get("normalize", "")),
        "k": str(options.get("k", "")),
        "column": found.column,
        "params": params,
        "dataset": found.dataset,
        "n": found.n,
        "models": found.models,
        "statistic": claim.statistic,
        "value": value,
        "ci_low": low,
        "ci_high": high,
        "border": claim.border,
        "outcome": told,
        "reason": reason,
    }


# What the claims read.


def _of(view: AnalysisView, *datasets: str) -> list[tuple[str, SliceView]]:
    """Return the slices of some datasets, whatever their version."""
    return [
        (name, of)
        for name, of in view.slices.items()
        if not datasets or view.dataset(name).partition("@")[0] in datasets
    ]


def _absent(view: AnalysisView, *datasets: str) -> Iterator[_Tested]:
    """Yield why a claim cannot be tested where no slice is of these datasets."""
    if not _of(view, *datasets):
        yield _Tested(reason=f"no slice of {' or '.join(datasets)} is among those of the analysis")


def _trained(view: AnalysisView, name: str, of: SliceView) -> dict[str, ModelFacts]:
    there = set(view.models_in(name))
    return {f.model: f for f in of.facts if f.weights == "trained" and f.model in there}


def _similarities(of: SliceView) -> Iterator[tuple[Spec, str]]:
    names = [name for name, info in METRICS.items() if info.larger_is_closer]
    names = [name for name in names if METRICS[name].kind == "pair"]
    for spec in of.results.of_metric(*names):
        for column in ("value", "debiased"):
            if column == "value" or has_debiased(of.scores, *spec):
                yield spec, column


@dataclass(frozen=True)
class _Pairs:
    """Pairs of trained models with a score."""

    a: npt.NDArray[np.str_]
    b: npt.NDArray[np.str_]
    value: npt.NDArray[np.float64]
    n: int

    def over(self, statistic: Callable[[npt.NDArray[np.bool_]], float]) -> Estimate:
        return over_models(statistic, self.a, self.b)

    @property
    def models(self) -> int:
        return len({*self.a, *self.b})


def _pairs(of: SliceView, spec: Spec, column: str, models: Sequence[str]) -> _Pairs:
    kept = [key for key in of.results.keys if key in set(models)]
    values = of.results.symmetric(spec, column).reindex(index=kept, columns=kept).to_numpy(float)
    i, j = np.triu_indices(len(kept), 1)
    found = np.isfinite(values[i, j])
    keys = np.array(kept, dtype=str)
    i, j = i[found], j[found]
    return _Pairs(keys[i], keys[j], values[i, j], of.results.matrix(spec).n_min)


def _contrast(
    pairs: _Pairs, first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]
) -> Estimate | str:
    """Return the mean of some pairs minus that of others, or which of them there are none of."""
    if not first.any() or not second.any():
        return "no pair of one of the two kinds has a score of trained models"

    def difference(kept: npt.NDArray[np.bool_]) -> float:
        one, two = pairs.value[kept & first], pairs.value[kept & second]
        return float(one.mean() - two.mean()) if len(one) and len(two) else np.nan

    return pairs.over(difference)


def _contrasts(
    view: AnalysisView,
    datasets: Sequence[str],
    kinds: Callable[
        [_Pairs, dict[str, ModelFacts]], tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]
    ],
) -> Iterator[_Tested]:
    """Yield the contrast of two kinds of pairs for every similarity of some slices."""
    yield from _absent(view, *datasets)
    for name, of in _of(view, *datasets):
        facts = _trained(view, name, of)
        for spec, column in _similarities(of):
            pairs = _pairs(of, spec, column, list(facts))
            found = _contrast(pairs, *kinds(pairs, facts))
            yield _tested(view, name, spec, column, pairs.n, pairs.models, found)


def _tested(
    view: AnalysisView,
    name: str,
    spec: Spec,
    column: str,
    n: int,
    models: int,
    found: Estimate | str,
) -> _Tested:
    reason = found if isinstance(found, str) else ""
    estimate = None if isinstance(found, str) else found
    return _Tested(name, view.dataset(name), spec, column, n, models, estimate, reason)


def _each(
    pairs: _Pairs, test: Callable[[ModelFacts, ModelFacts], bool], facts: dict[str, ModelFacts]
) -> npt.NDArray[np.bool_]:
    found = [test(facts[a], facts[b]) for a, b in zip(pairs.a, pairs.b, strict=True)]
    return np.array(found, dtype=bool)


# The claims.


def _same_input(view: AnalysisView, _: Claim) -> Iterator[_Tested]:
    yield from _contrasts(
        view,
        ("qm9",),
        lambda pairs, facts: (
            _each(pairs, lambda a, b: a.input == b.input, facts),
            _each(pairs, lambda a, b: a.input != b.input, facts),
        ),
    )


def _across_input(view: AnalysisView, _: Claim) -> Iterator[_Tested]:
    yield from _absent(view, "qm9")
    for name, of in _of(view, "qm9"):
        facts = _trained(view, name, of)
        for spec, column in _similarities(of):
            if column == "value":
                continue  # above its floor for unrelated models as well
            pairs = _pairs(of, spec, column, list(facts))
            across = _each(pairs, lambda a, b: a.input != b.input, facts)
            found: Estimate | str = "no two trained models of different input have a score"
            if across.any():
                found = pairs.over(_mean_of(pairs, across))
            yield _tested(view, name, spec, column, pairs.n, pairs.models, found)


def _mean_of(
    pairs: _Pairs, chosen: npt.NDArray[np.bool_]
) -> Callable[[npt.NDArray[np.bool_]], float]:
    def mean(kept: npt.NDArray[np.bool_]) -> float:
        values = pairs.value[kept & chosen]
        return float(values.mean()) if len(values) else np.nan

    return mean


def _energy_and_alignment(view: AnalysisView, _: Claim) -> Iterator[_Tested]:
    for name, of in view.slices.items():
        energies = of.results.energies
        facts = _trained(view, name, of)
        if energies is None:
            yield _Tested(name, view.dataset(name), reason="energies of the slice were not read")
            continue
        regressions = energies.regressions
        known = {
            key: mae
            for key in facts
            if (mae := regressions[key].mae.value) is not None and regressions[key].status == "ok"
        }
        if len(known) < LEAST_MODELS:
            reason = f"{len(known)} trained models of {view.dataset(name)} have an energy error"
            yield _Tested(name, view.dataset(name), models=len(known), reason=reason)
            continue
        best = min(known, key=lambda key: known[key])
        for spec, column in _similarities(of):
            values = of.results.symmetric(spec, column)
            row = values.loc[best]
            others = [key for key in known if key != best and np.isfinite(row[key])]
            error = np.array([known[key] for key in others])
            aligned = row[others].to_numpy(float)
            keys = np.array(others, dtype=str)

            def falls(
                kept: npt.NDArray[np.bool_],
                error: npt.NDArray[np.float64] = error,
                aligned: npt.NDArray[np.float64] = aligned,
            ) -> float:
                return -spearman(error[kept], aligned[kept])

            value, low, high = over_models(falls, keys, keys)
            found = (value, float(np.maximum(low, -1)), float(np.minimum(high, 1)))
            n = of.results.matrix(spec).n_min
            yield _tested(view, name, spec, column, n, len(others), found)


def _local_and_global(view: AnalysisView, _: Claim) -> Iterator[_Tested]:
    for name, of in view.slices.items():
        models = list(_trained(view, name, of))
        there = of.results.of_metric(*GLOBAL)
        if not there or not of.results.of_metric(*LOCAL):
            yield _Tested(
                name, view.dataset(name), reason=f"{name} has no local or no global score"
            )
            continue
        for spec in of.results.of_metric(*LOCAL):
            for other in there:
                for column in ("value", "debiased"):
                    if column == "debiased" and not all(
                        has_debiased(of.scores, *s) for s in (spec, other)
                    ):
                        continue
                    frames = [
                        of.results.symmetric(s, column).loc[models, models] for s in (spec, other)
                    ]
                    kept = list(complete_models(frames[0] + frames[1])[0])
                    arrays = [frame.loc[kept, kept].to_numpy(float) for frame in frames]
                    c = matrix_correlation(*arrays, permutations=0)
                    n = of.results.matrix(spec).n_min
                    found = (c.value, c.low, c.high)
                    both = f"{spec[0]} and {other[0]}", f"{spec[1]} and {other[1]}", spec[2]
                    yield _tested(view, name, both, column, n, c.models, found)


def _dimensions(
    first: Callable[[ModelFacts], bool], second: Callable[[ModelFacts], bool]
) -> Callable[[AnalysisView, Claim], Iterator[_Tested]]:
    """Return the test of whether some models have a larger mean dimension than others."""

    def test(view: AnalysisView, _: Claim) -> Iterator[_Tested]:
        for name, of in view.slices.items():
            facts = _trained(view, name, of) | {f.model: f for f in of.facts if f.baseline}
            ok = of.dimensions[of.dimensions["status"] == "ok"]
            ok = ok[ok["model"].isin(list(facts))]
            for key, rows in ok.groupby(["metric", "definition", "params"], sort=False):
                spec = (str(key[0]), str(key[1]), str(key[2]))
                keys = rows["model"].to_numpy(str)
                kinds = [np.array([t(facts[k]) for k in keys]) for t in (first, second)]
                pairs = _Pairs(keys, keys, rows["value"].to_numpy(float), int(rows["n"].min()))
                if min(int(kind.sum()) for kind in kinds) < 1:
                    reason = "no trained models of one of the two kinds"
                    yield _tested(view, name, spec, "value", pairs.n, len(keys), reason)
                    continue
                taken = int((kinds[0] | kinds[1]).sum())
                found = _contrast(pairs, kinds[0], kinds[1])
                yield _tested(view, name, spec, "value", pairs.n, taken, found)
        if not any(len(of.dimensions) for of in view.slices.values()):
            yield _Tested(reason="no slice of the analysis has intrinsic dimensions")

    return test


def _data_and_architecture(view: AnalysisView, _: Claim) -> Iterator[_Tested]:
    def sets(fact: ModelFacts) -> frozenset[str]:
        return fact_of(fact.training_sets)

    yield from _contrasts(
        view,
        (),
        lambda pairs, facts: (
            _each(pairs, lambda a, b: bool(sets(a)) and sets(a) == sets(b) and a.group != b.group,
                  facts),
            _each(pairs, lambda a, b: a.group == b.group and sets(a) != sets(b), facts),
        ),
    )  # fmt: skip


def _collapse(view: AnalysisView, _: Claim) -> Iterator[_Tested]:
    for dataset in ("omat24", "omol25"):
        yield from _absent(view, dataset)
    for name, of in _of(view, "omat24"):
        for other, out in _of(view, "omol25"):
            models = {*_trained(view, name, of)} & {*_trained(view, other, out)}
            for spec in out.results.of_metric("information_imbalance"):
                if spec not in of.results.of_metric("information_imbalance"):
                    continue
                frames = []
                for part in (of, out):
                    keys = [key for key in part.results.keys if key in models]
                    frames.append(imbalance_pairs(part.scores, spec[2], keys, spec[1]))
                both = frames[0].merge(frames[1], on=["model_a", "model_b"], suffixes=("_in", ""))
                both = both.dropna(subset=["forward", "backward", "forward_in", "backward_in"])
                near = [
                    (both[[f"forward{s}", f"backward{s}"]] < MIDDLE).all(axis=1).to_numpy(float)
                    for s in ("_in", "")
                ]
                a, b = (both[c].to_numpy(str) for c in ("model_a", "model_b"))
                pairs = _Pairs(a, b, near[1] - near[0], out.results.matrix(spec).n_min)
                found: Estimate | str = "no pair of trained models has both imbalances"
                if len(both):
                    found = pairs.over(_mean_of(pairs, np.ones(len(both), bool)))
                told = _tested(view, other, spec, "value", pairs.n, pairs.models, found)
                yield told


def _proteins(view: AnalysisView, _: Claim) -> Iterator[_Tested]:
    for dataset in ("rcsb", "qm9"):
        yield from _absent(view, dataset)
    for name, of in _of(view, "rcsb"):
        for other, molecules in _of(view, "qm9"):
            facts, small = _trained(view, name, of), _trained(view, other, molecules)
            for spec, column in _similarities(of):
                if (spec, column) not in set(_similarities(molecules)):
                    continue
                own = _pairs(of, spec, column, list(facts))
                ours = _each(own, lambda a, b: {a.input, b.input} == {"sequence", "structure"},
                             facts)  # fmt: skip
                rest = _pairs(molecules, spec, column, list(small))
                cross = _each(rest, lambda a, b: a.input != b.input, small)
                found: Estimate | str = "no cross-modal pair of trained models in one of the slices"
                if ours.any() and cross.any():
                    best = float(rest.value[cross].max())
                    ratio = _mean_of(own, ours)
                    value, low, high = own.over(ratio)
                    found = (value / best, low / best, high / best)
                yield _tested(view, name, spec, column, own.n, own.models, found)


def _orb(view: AnalysisView, _: Claim) -> Iterator[_Tested]:
    def with_kind(word: str) -> Callable[[ModelFacts, ModelFacts], bool]:
        def test(a: ModelFacts, b: ModelFacts) -> bool:
            return any(
                orb.group == "Orb V3"
                and word in orb.model
                and other.embedding == "equivariant"
                and not other.group.startswith("Orb")
                for orb, other in ((a, b), (b, a))
            )

        return test

    yield from _contrasts(
        view,
        (),
        lambda pairs, facts: (
            _each(pairs, with_kind("conservative"), facts),
            _each(pairs, with_kind("direct"), facts),
        ),
    )


def _is(embedding: str) -> Callable[[ModelFacts], bool]:
    return lambda fact: fact.embedding == embedding and fact.input != "text"


CLAIMS = {
    "C1a": Claim(
        "Models of different modality align on small molecules.",
        "mean debiased score of two models that read different input",
        0.0,
        _across_input,
    ),
    "C1b": Claim(
        "Within a modality models align more strongly.",
        "mean score of two models of the same input minus that of two of different input",
        0.0,
        _same_input,
    ),
    "C2": Claim(
        "As the energy error falls, alignment to the best model rises.",
        "minus the rank correlation of energy error and alignment to the model of least error",
        0.0,
        _energy_and_alignment,
    ),
    "C3": Claim(
        "Local and global alignment agree.",
        "rank correlation of a local and a global score over pairs",
        0.0,
        _local_and_global,
    ),
    "C4a": Claim(
        "Equivariant embeddings have a higher intrinsic dimension than invariant ones.",
        "mean dimension of equivariant minus that of invariant embeddings",
        0.0,
        _dimensions(_is("equivariant"), _is("invariant")),
    ),
    "C4b": Claim(
        "Vanilla embeddings have a higher intrinsic dimension than equivariant ones.",
        "mean dimension of vanilla (language models apart) minus that of equivariant embeddings",
        0.0,
        _dimensions(_is("vanilla"), _is("equivariant")),
    ),
    "C4c": Claim(
        "Language models have a much higher intrinsic dimension.",
        "mean dimension of models that read text minus that of the others",
        0.0,
        _dimensions(lambda f: f.input == "text", lambda f: f.input != "text" and not f.baseline),
    ),
    "C5": Claim(
        "Training data shapes representations more than architecture.",
        "mean score of pairs with the same training data and another architecture minus that of "
        "pairs with the same architecture and other training data",
        0.0,
        _data_and_architecture,
    ),
    "C6": Claim(
        "Out of distribution nearly all models collapse to the lower left of the plane of "
        "information imbalance.",
        "share of pairs with both imbalances below 0.5, out of distribution minus in distribution",
        0.0,
        _collapse,
    ),
    "C7": Claim(
        "Protein sequence and structure models align about twice as strongly as the best "
        "small-molecule cross-modal pair.",
        "mean score of a sequence and a structure model over the best cross-modal one of molecules",
        1.0,
        _proteins,
    ),
    "C8": Claim(
        "Orb v3 conservative aligns with equivariant models, Orb v3 direct weakly.",
        "mean score of conservative Orb v3 with equivariant models minus that of direct Orb v3",
        0.0,
        _orb,
    ),
}
