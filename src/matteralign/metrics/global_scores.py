"""dCor, CKA and information imbalance of a pair from the sums of one streaming pass."""

from __future__ import annotations

import math

from matteralign.metrics.errors import NotApplicable
from matteralign.metrics.inputs import require_neighbors, require_rows
from matteralign.metrics.streaming import GlobalSums, GramSums

LEAST_ROWS = 2


def _sums(sums: GramSums | None) -> GramSums:
    if sums is None:
        raise ValueError("the pass was run without the sums this metric needs")
    return sums


def _ratio(joint: float, own_a: float, own_b: float, what: str) -> float:
    if not (own_a > 0.0 and own_b > 0.0):
        raise NotApplicable(f"the {what} of one embedding is zero to working precision")
    # Both are sums of squares by construction: only rounding can leave [0, 1].
    return min(1.0, max(0.0, joint / (math.sqrt(own_a) * math.sqrt(own_b))))


def _debiased(sums: GramSums, a: int, b: int) -> float | None:
    if sums.n < 4:
        return None
    own_a, own_b = sums.u_centred(a, a), sums.u_centred(b, b)
    if not (own_a > 0.0 and own_b > 0.0):
        return None
    return sums.u_centred(a, b) / (math.sqrt(own_a) * math.sqrt(own_b))


def dcor_score(sums: GlobalSums, a: int, b: int, definition: str) -> tuple[float, float | None]:
    """Return the distance correlation and, for ``squared``, its bias-corrected value."""
    d = _sums(sums.distances)
    require_rows(d.n, LEAST_ROWS, "dcor")
    squared = _ratio(d.centred(a, b), d.centred(a, a), d.centred(b, b), "distance variance")
    if definition == "root":
        return math.sqrt(squared), None
    return squared, _debiased(d, a, b)


def cka_score(sums: GlobalSums, a: int, b: int) -> tuple[float, float | None]:
    """Return linear CKA and its unbiased-HSIC counterpart (None below 4 rows)."""
    s = _sums(sums.kernels)
    require_rows(s.n, LEAST_ROWS, "cka")
    plain = _ratio(s.total(a, b), s.total(a, a), s.total(b, b), "variance")
    return plain, _debiased(s, a, b)


def imbalance_score(sums: GlobalSums, a: int, b: int, k: int, n: int) -> float:
    """Return the information imbalance Delta(a -> b) over `k` neighbours of `n` rows."""
    require_rows(n, LEAST_ROWS, "information_imbalance")
    require_neighbors(n, k)
    return 2.0 * int(sums.rank_sums[k][a, b]) / (n * n * k)
