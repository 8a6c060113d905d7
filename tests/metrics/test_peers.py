"""Agreement with independent packages.

Tolerances: dcor 1e-10 absolute (V and U statistic); DADApy information imbalance exact
(1e-12) and TwoNN 1e-6 relative (it fits by iteration); scikit-dimension MLE 1e-10
relative, TwoNN 1e-10 relative (without duplicates: it drops both rows of a pair).

Values of dcor 0.7, DADApy 0.3.4 and scikit-dimension 0.5.0 on `data()` are kept in
GOLDEN; the packages are run as well. DADApy needs numpy < 2 and has the environment `peers`.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
import skdim

from matteralign.metrics import (
    MetricSpec,
    cka,
    compare,
    dcor,
    information_imbalance,
    mle_intrinsic_dimension,
    twonn,
)

GOLDEN: dict[str, float] = {
    "dcor root": 0.6612502391267322,
    "dcor squared": 0.4372518787451606,
    "dcor squared debiased": 0.41847361335446387,
    "twonn dadapy": 6.565447163094909,
    "twonn skdim": 6.56544716287305,
    "mle 50": 4.645715773856066,
    "mle 5 mean": 7.783565815483377,
    "imbalance xy 1": 0.24155555555555555,
    "imbalance yx 1": 0.6170666666666667,
    "imbalance xy 7": 0.36643174603174605,
    "imbalance yx 7": 0.6401238095238095,
    "imbalance xy 50": 0.6054257777777778,
    "imbalance yx 50": 0.7152955555555555,
}


def data(n=300):
    rng = np.random.RandomState(20)
    x = rng.standard_normal((n, 7)) * np.linspace(0.3, 2.0, 7) + 1.5
    y = np.hstack([np.sin(x[:, :3]), x[:, 3:5] ** 2, rng.standard_normal((n, 3))])
    return x, y


def debiased(x, y, metric, definition):
    (forward, _) = compare({"x": x, "y": y}, [("x", "y")], [MetricSpec(metric, definition)])
    return forward.scored.debiased


IMBALANCE = [(2, 1), (3, 2), (40, 1), (200, 30), (200, 199), (300, 1), (300, 7), (300, 50)]
DIMS = [1, 3, 12]


def flat_cloud(dim):
    """A dim-dimensional Gaussian in 15 dimensions, off the origin, one column constant."""
    rng = np.random.RandomState(dim)
    x = rng.standard_normal((400, dim)) @ rng.standard_normal((dim, 15)) + 10.0
    x[:, 14] = 5.0
    return x


@pytest.fixture(scope="module")
def peer_dcor():
    """Return the package dcor. It compiles at import, and not in two processes at once."""
    return importlib.import_module("dcor")


@pytest.fixture(scope="module")
def dadapy_values(model_python, tmp_path_factory):
    """Every value asked of DADApy, from one run of the environment that holds it."""
    folder = tmp_path_factory.mktemp("dadapy")
    arrays = {"twonn|data|x": data()[0]}
    for n, k in IMBALANCE:
        arrays[f"imbalance|{n}|{k}|x"], arrays[f"imbalance|{n}|{k}|y"] = data(n)
    for dim in DIMS:
        arrays[f"twonn|{dim}|x"] = flat_cloud(dim)
    tasks = sorted({name.rsplit("|", 1)[0] for name in arrays})
    np.savez(folder / "tasks.npz", tasks=np.asarray(json.dumps(tasks)), **arrays)
    script = Path(__file__).with_name("dadapy_values.py")
    command = [model_python("peers"), "-W", "ignore", script]
    subprocess.run([*command, folder / "tasks.npz", folder / "out.json"], check=True)
    return json.loads((folder / "out.json").read_text())


def skdim_mle(x, k, comb):
    return skdim.id.MLE().fit(x, n_neighbors=k, comb=comb).dimension_


def skdim_twonn(x):
    return skdim.id.TwoNN(discard_fraction=0.1).fit(x).dimension_


def test_golden():
    x, y = data()
    assert dcor(x, y) == pytest.approx(GOLDEN["dcor root"], abs=1e-10)
    assert dcor(x, y, "squared") == pytest.approx(GOLDEN["dcor squared"], abs=1e-10)
    assert debiased(x, y, "dcor", "squared") == pytest.approx(
        GOLDEN["dcor squared debiased"], abs=1e-10
    )
    assert twonn(x) == pytest.approx(GOLDEN["twonn dadapy"], rel=1e-6)
    assert twonn(x) == pytest.approx(GOLDEN["twonn skdim"], rel=1e-10)
    assert mle_intrinsic_dimension(x, 50) == pytest.approx(GOLDEN["mle 50"], rel=1e-10)
    assert mle_intrinsic_dimension(x, 5, "mean") == pytest.approx(GOLDEN["mle 5 mean"], rel=1e-10)
    for k in (1, 7, 50):
        assert information_imbalance(x, y, k) == pytest.approx(
            GOLDEN[f"imbalance xy {k}"], abs=1e-12
        )
        assert information_imbalance(y, x, k) == pytest.approx(
            GOLDEN[f"imbalance yx {k}"], abs=1e-12
        )


@pytest.mark.network
def test_golden_is_what_the_peers_give(dadapy_values, peer_dcor):
    x, y = data()
    values = {
        "dcor root": peer_dcor.distance_correlation(x, y),
        "dcor squared": peer_dcor.distance_correlation_sqr(x, y),
        "dcor squared debiased": peer_dcor.u_distance_correlation_sqr(x, y),
        "twonn dadapy": dadapy_values["twonn|data"][0],
        "twonn skdim": skdim_twonn(x),
        "mle 50": skdim_mle(x, 50, "mle"),
        "mle 5 mean": skdim_mle(x, 5, "mean"),
    }
    for k in (1, 7, 50):
        pair = dadapy_values[f"imbalance|300|{k}"]
        values[f"imbalance xy {k}"], values[f"imbalance yx {k}"] = pair
    assert values == pytest.approx(GOLDEN, rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n", [2, 4, 5, 150])
def test_dcor_package(seed, n, peer_dcor):
    rng = np.random.RandomState(seed)
    x = rng.standard_normal((n, 6)) + 50.0
    y = np.hstack([x[:, :2] ** 2, rng.standard_normal((n, 2))])
    assert dcor(x, y) == pytest.approx(peer_dcor.distance_correlation(x, y), abs=1e-10)
    assert dcor(x, y, "squared") == pytest.approx(
        peer_dcor.distance_correlation_sqr(x, y), abs=1e-10
    )
    if n > 4:
        assert debiased(x, y, "dcor", "squared") == pytest.approx(
            peer_dcor.u_distance_correlation_sqr(x, y), abs=1e-10
        )


def test_dcor_package_with_duplicates_and_constant_columns(peer_dcor):
    x, y = data(60)
    x[10:20], y[10:20], x[:, 2], y[:, 0] = x[0], y[0], 3.0, -1.0
    assert dcor(x, y) == pytest.approx(peer_dcor.distance_correlation(x, y), abs=1e-10)


@pytest.mark.network
@pytest.mark.parametrize(("n", "k"), IMBALANCE)
def test_dadapy_information_imbalance(n, k, dadapy_values):
    x, y = data(n)
    forward, backward = dadapy_values[f"imbalance|{n}|{k}"]
    assert information_imbalance(x, y, k) == pytest.approx(forward, abs=1e-12)
    assert information_imbalance(y, x, k) == pytest.approx(backward, abs=1e-12)


@pytest.mark.network
@pytest.mark.parametrize("dim", DIMS)
def test_dadapy_twonn(dim, dadapy_values):
    assert twonn(flat_cloud(dim)) == pytest.approx(dadapy_values[f"twonn|{dim}"][0], rel=1e-6)


@pytest.mark.parametrize("dim", DIMS)
def test_skdim_intrinsic_dimension(dim):
    x = flat_cloud(dim)
    assert twonn(x) == pytest.approx(skdim_twonn(x), rel=1e-10)
    for k in (5, 50):
        for ours, comb in (("inverse_mean", "mle"), ("mean", "mean")):
            peer = skdim_mle(x, k, comb)
            assert mle_intrinsic_dimension(x, k, ours) == pytest.approx(peer, rel=1e-10)


def test_duplicates_are_dropped_before_the_peers_see_them():
    x, _ = data(200)
    doubled = np.vstack([x, x[:50]])
    assert twonn(doubled) == pytest.approx(twonn(x), rel=1e-14)
    assert mle_intrinsic_dimension(doubled) == pytest.approx(mle_intrinsic_dimension(x), rel=1e-14)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The peer drops both rows of every pair of equal rows: another sample, the same dimension.
        assert twonn(doubled) == pytest.approx(skdim_twonn(doubled), rel=0.2)


def test_cka_equals_feature_space_and_unbiased_forms():
    x, y = data()
    xc, yc = x - x.mean(0), y - y.mean(0)
    dense = np.linalg.norm(xc.T @ yc) ** 2 / (np.linalg.norm(xc.T @ xc) * np.linalg.norm(yc.T @ yc))
    assert cka(x, y) == pytest.approx(dense, rel=1e-12)

    def u_centred(z):
        k = z @ z.T
        np.fill_diagonal(k, 0.0)
        n = len(k)
        k = k - k.sum(0) / (n - 2) - k.sum(1)[:, None] / (n - 2) + k.sum() / ((n - 1) * (n - 2))
        np.fill_diagonal(k, 0.0)
        return k

    a, b = u_centred(x), u_centred(y)
    expected = (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())
    assert debiased(x, y, "cka", "plain") == pytest.approx(expected, rel=1e-9)
