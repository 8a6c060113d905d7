"""Null, p-values and intervals of the local scores: against sampling, under independence."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from matteralign.metrics.local.huh2024 import cknna_huh2024
from matteralign.metrics.local.kernel import local_kernel
from matteralign.metrics.local.scores import cknna_text, mutual_knn

spec = importlib.util.spec_from_file_location(
    "local_reference", Path(__file__).with_name("local_reference.py")
)
ref = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ref)


def scores(x, y, k, length=None, jackknife=False):
    a, b = (
        local_kernel(z, ref.inner_lists(z, length or k), [k], jackknife=jackknife) for z in (x, y)
    )
    return {
        "text": cknna_text(a, b, [k])[0],
        "huh2024": cknna_huh2024(a, b, [k])[0][0],
        "mutual_knn": mutual_knn(a.lists, b.lists, [k])[0],
    }


def test_null_equals_sampled_pairings_of_the_dense_sums():
    """2,000 pairings at n = 60: mean within 4 standard errors, deviation within 4 of its own."""
    n, k, draws = 60, 8, 2000
    x, y = ref.embeddings(3, n, offset=0.3)
    mask_x, mask_y = (ref.mask_of(ref.inner_lists(z, k), k) for z in (x, y))
    text_x, text_y, text_scale = ref.text_parts(x, y, k)
    main_x, main_y = (m * m.T * (z @ z.T) for m, z in ((mask_x, x), (mask_y, y)))
    huh_scale = ref.huh_scale(x, y, k) * n * (n - 3)
    rng = np.random.default_rng(0)
    sampled = {"text": [], "huh2024": [], "mutual_knn": [], "whole huh2024": []}
    for _ in range(draws):
        order = rng.permutation(n)
        at = np.ix_(order, order)
        sampled["text"].append((text_x * text_y[at]).sum() / text_scale)
        sampled["huh2024"].append((main_x * main_y[at]).sum() / huh_scale)
        sampled["mutual_knn"].append((mask_x * mask_y[at]).sum() / (n * k))
        both = mask_x * mask_y[at]
        whole = ref.song_unbiased_hsic(both * (x @ x.T), both * (y @ y.T)[at])
        sampled["whole huh2024"].append(whole * n * (n - 3) / huh_scale)
    found = scores(x, y, k)
    for name, score in found.items():
        values = np.array(sampled[name])
        sd = values.std(ddof=1)
        kurtosis = stats.kurtosis(values)
        # huh2024 has the mean of the whole and the deviation of the main term.
        centre = np.mean(sampled["whole huh2024"]) if name == "huh2024" else values.mean()
        assert abs(score.null_mean - centre) < 4 * sd / draws**0.5
        assert abs(score.null_sd / sd - 1) < 4 * ((kurtosis + 2) / (4 * draws)) ** 0.5
    whole = np.std(sampled["whole huh2024"])
    assert found["huh2024"].null_sd == pytest.approx(whole, rel=0.2)


@pytest.fixture(scope="module")
def independent():
    """Scores of 200 independent pairs, n = 160, k = 10, Gaussian and heavy-tailed rows."""
    rng = np.random.default_rng(12)
    found = []
    for i in range(200):
        x, y = rng.normal(size=(160, 8)), rng.normal(size=(160, 5))
        if i % 2:
            x, y = x * rng.gamma(2.0, size=(160, 1)), y + 0.5
        found.append(scores(x, y, 10))
    return found


@pytest.mark.parametrize("name", ["text", "huh2024", "mutual_knn"])
def test_p_is_uniform_under_independence(independent, name):
    p = [s[name].null_p for s in independent]
    assert stats.kstest(p, "uniform").statistic < 1.63 / 200**0.5  # its 1 % point
    z = [(s[name].value - s[name].null_mean) / s[name].null_sd for s in independent]
    assert abs(np.mean(z)) < 4 / 200**0.5
    assert abs(np.std(z) - 1) < 4 / 400**0.5


def test_debiased_is_zero_within_its_interval_for_independent_rows_only():
    rng = np.random.default_rng(5)
    inside = {"text": 0, "huh2024": 0, "mutual_knn": 0}
    pairs = 40
    for _ in range(pairs):
        x, y = rng.normal(size=(2, 320, 6))
        for name, score in scores(x, y, 10, 40, jackknife=True).items():
            row = score
            assert row.ci_low < row.value < row.ci_high
            inside[name] += row.debiased_low <= 0.0 <= row.debiased_high
    # A 95 % interval would miss more than 7 of 40 in 1 of 1,000 runs.
    assert min(inside.values()) >= pairs - 7
    for seed in range(5):
        x, y = ref.embeddings(seed, 320, 6, 6)
        for score in scores(x, y, 10, 40, jackknife=True).values():
            row = score
            assert row.debiased_low > 0.0
            assert row.null_p < 1e-6
