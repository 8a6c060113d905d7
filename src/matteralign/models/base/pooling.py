"""From one vector per atom or token to one vector per structure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def segment_mean(features: npt.ArrayLike, counts: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Average consecutive rows, summed in float64.

    Parameters
    ----------
    features
        Shape (sum of counts, d): the rows of all structures of a batch, one after another.
    counts
        Rows per structure, shape (B,), each at least 1.

    Returns
    -------
    ndarray
        Shape (B, d), float32. A structure's mean does not depend on its neighbours in the
        batch, to the last bit.

    Raises
    ------
    ValueError
        If a count is below 1 or the counts do not add up to the number of rows.
    """
    rows = np.asarray(features, np.float64)
    sizes = np.asarray(counts, np.int64)
    if sizes.ndim != 1 or (sizes < 1).any() or sizes.sum() != len(rows):
        raise ValueError(f"counts {sizes.tolist()} do not split {len(rows)} rows")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return (np.add.reduceat(rows, starts, axis=0) / sizes[:, None]).astype(np.float32)
