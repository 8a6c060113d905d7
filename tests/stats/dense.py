"""Sums of a dense matrix, the plain way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from matteralign.stats.pairing import PairingMoments


def moments_of_matrix(a: npt.NDArray[np.float64]) -> PairingMoments:
    """Return the sums of a dense (n, n) matrix; its diagonal is left out."""
    off = a - np.diag(np.diag(a))
    r, c = off.sum(axis=1), off.sum(axis=0)
    return PairingMoments(
        float(r.sum()),
        float((off * off).sum()),
        float((off * off.T).sum()),
        float(r @ r),
        float(c @ c),
        float(r @ c),
    )
