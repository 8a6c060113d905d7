"""How often 95 % intervals hold the mean of a score: ``python -m benchmarks.coverage [n [draws]]``.

Every line: kind of data, score, its mean and deviation over the draws, the share of intervals
that hold the mean, and the standard error in root mean square over that deviation. Then the
same for the difference of two scores, of x with y and of x with y seen through noise, and
the deviation over what it would be if the two scores were independent. ``--differences``
prints these alone.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from matteralign.findings.replicates.estimates import difference
from matteralign.metrics import MetricSpec, compare, summarize
from matteralign.stats.blocks import BLOCKS
from matteralign.stats.neighbours import ROWS_PER_DEGREE

Rows = npt.NDArray[np.float64]

COLUMNS, CLUSTERS = 10, 8
PAIR = [
    MetricSpec("cknna", "huh2024", {"k": 25}),
    MetricSpec("cknna", "text", {"k": 25}),
    MetricSpec("mutual_knn", "euclidean", {"k": 25}),
    MetricSpec("cka"),
    MetricSpec("cka", "debiased"),
    MetricSpec("dcor", "root"),
    MetricSpec("dcor", "debiased"),
    MetricSpec("information_imbalance", "rank", {"k": 1}),
    MetricSpec("information_imbalance", "rank", {"k": 50}),
]
MODEL = [MetricSpec("twonn"), *(MetricSpec("mle", params={"k": k}) for k in (10, 50))]
KINDS = ("none", "weak", "strong", "clustered", "heavy")


def draw(kind: str, n: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Return two embeddings of n rows."""
    x, noise = rng.standard_normal((2, n, COLUMNS))
    if kind == "none":
        return x, noise
    if kind == "weak":
        return x, 0.35 * x + noise
    if kind == "strong":
        return x, np.tanh(x) + 0.3 * noise
    if kind == "clustered":
        centres = 3.0 * np.random.default_rng(7).standard_normal((2, CLUSTERS, COLUMNS))
        which = rng.integers(0, CLUSTERS, n)
        return centres[0, which] + x, centres[1, which] + 0.5 * x + noise
    lengths = 1.0 / np.sqrt(rng.chisquare(3, (2, n, 1)) / 3.0)
    return x * lengths[0], 0.7 * x * lengths[0] + noise * lengths[1]


def simulate(kind: str, n: int, draws: int) -> dict[MetricSpec, list[tuple[Any, Any, Any]]]:
    """Return value and ends of the interval of every score and draw."""
    found: dict[MetricSpec, list[tuple[Any, Any, Any]]] = {}
    for number in range(draws):
        x, y = draw(kind, n, np.random.default_rng([1, number, n]))
        pairs = [(s.spec, s.scored) for s in compare({"x": x, "y": y}, [("x", "y")], PAIR)][::2]
        for spec, scored in (*pairs, *summarize(y, k_neighbors=1, id_specs=MODEL).intrinsic):
            found.setdefault(spec, []).append((scored.value, scored.ci_low, scored.ci_high))
    return found


def simulate_differences(kind: str, n: int, draws: int) -> dict[MetricSpec, list[Rows]]:
    """Return difference, standard error, and both scores, of every score and draw."""
    found: dict[MetricSpec, list[Rows]] = {}
    for number in range(draws):
        rng = np.random.default_rng([2, number, n])
        x, y = draw(kind, n, rng)
        members = {"x": x, "y": y, "z": y + y.std() * rng.standard_normal(y.shape)}
        pairs = [("x", "y"), ("x", "z")]
        scored = {(s.a, s.b, s.spec): s.scored for s in compare(members, pairs, PAIR)}
        for spec in PAIR:
            one, two = (scored[*pair, spec] for pair in pairs)
            values = np.array([one.value, two.value], float)
            apart = difference(values, np.array([one.replicates, two.replicates]))
            row = np.array([apart.value, apart.error, *values], float)
            found.setdefault(spec, []).append(row)
    return found


def main(words: list[str]) -> None:
    """Print the tables."""
    alone = "--differences" in words
    words = [word for word in words if word != "--differences"]
    n, draws = (int(word) for word in (*words, *("500", "200")[len(words) :]))
    for kind in () if alone else KINDS:
        for spec, rows in simulate(kind, n, draws).items():
            value, low, high = np.asarray(rows, np.float64).T
            mean, sd = value.mean(), value.std(ddof=1)
            held = ((low <= mean) & (mean <= high)).mean()
            degrees = n / ROWS_PER_DEGREE if spec.info.kind == "model" else BLOCKS - 1
            error = np.sqrt(np.square(high - low).mean()) / (2.0 * stats.t.ppf(0.975, degrees))
            print(f"{kind:10} {spec!s:42} {mean:8.4f} {sd:.5f} {held:.3f} {error / sd:.2f}")
    for kind in KINDS:
        for spec, found in simulate_differences(kind, n, draws).items():
            apart, errors, one, two = np.asarray(found).T
            mean, sd = apart.mean(), apart.std(ddof=1)
            half = stats.t.ppf(0.975, BLOCKS - 1) * errors
            held = (np.abs(apart - mean) <= half).mean()
            wide = np.sqrt(np.square(errors).mean()) / sd
            paired = sd / np.hypot(one.std(ddof=1), two.std(ddof=1))
            print(f"{kind:10} {spec!s:42} {mean:8.4f} {sd:.5f} {held:.3f} {wide:.2f} {paired:.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
