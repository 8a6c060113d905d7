from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from matteralign.core.errors import IntegrityError
from matteralign.metrics import MetricSpec
from matteralign.stages.assemble import adjust, check_dimensions, check_scores, ordered_pairs
from matteralign.stages.study.measure import Measure
from matteralign.stats.multiple import benjamini_hochberg, holm

CKA = Measure(MetricSpec("cka", "plain"), "max")
CKA_L2 = Measure(MetricSpec("cka", "plain"), "l2")
TWONN = Measure(MetricSpec("twonn", "fit"), "max")
MLE = Measure(MetricSpec("mle", "levina_bickel"), "max")
CKNNA = Measure(MetricSpec("cknna", "huh2024"), "l2")
IMBALANCE = Measure(MetricSpec("information_imbalance", "rank"), "max")
LATENTS = {"a": "1" * 64, "b": "2" * 64, "c": "3" * 64}


def row(a: str, b: str, measure: Measure, p: float | None = None) -> dict[str, Any]:
    return {
        "model_a": a, "model_b": b, "metric": measure.spec.metric, "sample_set_id": "s",
        "definition": measure.spec.definition, "params": measure.params, "null_p": p,
        "latent_sha256_a": LATENTS[a], "latent_sha256_b": LATENTS[b],
        "metric_version": measure.spec.info.version,
    }  # fmt: skip


def table(*measures: Measure) -> list[dict[str, Any]]:
    return [row(a, b, m) for a, b in permutations(LATENTS, 2) for m in measures]


def check(rows: list[dict[str, Any]], *measures: Measure, sample: str = "s") -> None:
    check_scores(rows, "scores.parquet", sample_set_id=sample, latents=LATENTS, measures=measures)


def test_a_model_that_joins_adds_its_pairs_at_the_end() -> None:
    shorter, longer = list(ordered_pairs("ab")), list(ordered_pairs("abc"))
    assert longer[: len(shorter)] == shorter
    assert sorted(longer) == sorted(permutations("abc", 2))


def test_the_family_of_a_symmetric_metric_counts_a_pair_once() -> None:
    p = {frozenset("ab"): 0.01, frozenset("ac"): 0.04, frozenset("bc"): 0.5}
    rows = [row(a, b, CKA, p[frozenset((a, b))]) for a, b in permutations(LATENTS, 2)]
    adjust(rows, [CKA])
    fdr, family_wise = benjamini_hochberg([*p.values()]), holm([*p.values()])
    expected = {pair: (fdr[i], family_wise[i]) for i, pair in enumerate(p)}
    for one in rows:
        pair = frozenset((one["model_a"], one["model_b"]))
        assert (one["p_adjusted"], one["p_holm"]) == pytest.approx(expected[pair])


def test_the_family_of_a_directed_metric_counts_both_ways() -> None:
    p = [0.01, 0.04, 0.02, 0.5, 0.03, 0.9]
    pairs = list(permutations(LATENTS, 2))
    rows = [row(a, b, IMBALANCE, q) for (a, b), q in zip(pairs, p, strict=True)]
    adjust(rows, [IMBALANCE])
    assert [r["p_adjusted"] for r in rows] == pytest.approx(benjamini_hochberg(p))
    assert [r["p_holm"] for r in rows] == pytest.approx(holm(p))


def test_a_nearly_symmetric_metric_counts_a_pair_once_with_its_larger_p() -> None:
    p = {("a", "b"): 0.01, ("a", "c"): 0.03, ("b", "c"): 0.4}
    p |= {("b", "a"): 0.012, ("c", "a"): 0.02, ("c", "b"): 0.5}
    rows = [row(a, b, CKNNA, q) for (a, b), q in p.items()]
    adjust(rows, [CKNNA])
    assert [r["p_holm"] for r in rows] == pytest.approx([*holm([0.012, 0.03, 0.5])] * 2)
    assert [r["p_adjusted"] for r in rows] == pytest.approx(
        [*benjamini_hochberg([0.012, 0.03, 0.5])] * 2
    )


def test_parameter_sets_are_families_of_their_own_and_no_p_stays_none() -> None:
    rows = [row("a", "b", CKA, 0.01), row("a", "b", CKA_L2, 0.02), row("a", "c", CKA, None)]
    adjust(rows, [CKA, CKA_L2])
    assert [r["p_adjusted"] for r in rows] == [0.01, 0.02, None]
    assert [r["p_holm"] for r in rows] == [0.01, 0.02, None]


def test_a_whole_table_passes() -> None:
    check(table(CKA, IMBALANCE), CKA, IMBALANCE)


def test_another_sample_set_is_refused() -> None:
    with pytest.raises(IntegrityError, match=r"scores\.parquet: scores of another sample set"):
        check(table(CKA), CKA, sample="t")


def test_scores_by_another_version_of_the_metric_are_refused() -> None:
    rows = table(CKA)
    rows[2]["metric_version"] -= 1
    with pytest.raises(IntegrityError, match=r"scores\.parquet: cka by version 2 .* today's is 3"):
        check(rows, CKA)


def dimension(measure: Measure) -> dict[str, Any]:
    spec = measure.spec
    return {
        "metric": spec.metric, "definition": spec.definition, "params": measure.params,
        "metric_version": spec.info.version,
    }  # fmt: skip


def test_dimensions_are_exactly_those_asked_for_by_the_version_of_today() -> None:
    rows = [dimension(TWONN), dimension(MLE)]
    check_dimensions(rows, "a.npz", measures=[MLE, TWONN])
    with pytest.raises(IntegrityError, match=r"a\.npz: dimension mle .* is missing; summarize"):
        check_dimensions(rows[:1], "a.npz", measures=[MLE, TWONN])
    for more, asked in ((rows, [TWONN]), ([*rows, rows[1]], [MLE, TWONN])):
        with pytest.raises(IntegrityError, match="is not asked for, or there twice"):
            check_dimensions(more, "a.npz", measures=asked)
    old = rows[1] | {"metric_version": 1}
    with pytest.raises(IntegrityError, match=r"a\.npz: mle by version 1 of the metric"):
        check_dimensions([rows[0], old], "a.npz", measures=[MLE, TWONN])


def test_different_latents_of_one_model_are_refused() -> None:
    rows = table(CKA)
    rows[3]["latent_sha256_b"] = "9" * 64
    with pytest.raises(IntegrityError, match="different latents of"):
        check(rows, CKA)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*table(CKA), table(CKA)[0]], "there twice"),
        (table(CKA)[1:], "is missing"),
        (table(CKA, IMBALANCE), "is not asked for"),
        (table(CKA_L2), r"12 such"),
        ([], "is missing"),
    ],
)
def test_scores_that_are_not_those_asked_for_are_refused(rows: Any, message: str) -> None:
    with pytest.raises(IntegrityError, match=message):
        check(rows, CKA)
