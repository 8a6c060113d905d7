"""Information imbalance of pairs by DADApy; run by an interpreter that has it."""

import importlib.metadata
import os
from itertools import starmap

import dadapy
import numpy as np
from meter import serve, timed


def both_ways(x, y, k):
    """Return the imbalance of both directions over all rows (no subsampling)."""
    both = np.hstack([x, y]).astype(np.float64)
    metrics = dadapy.MetricComparisons(
        coordinates=both, maxk=len(x) - 1, n_jobs=int(os.environ["OMP_NUM_THREADS"])
    )
    first = list(range(x.shape[1]))
    second = list(range(x.shape[1], both.shape[1]))
    return [float(v) for v in metrics.return_inf_imb_two_selected_coords(first, second, k=k)]


def task(folder, pairs, k):
    loaded = {
        name: np.load(f"{folder}/{name}.npy") for name in sorted({n for p in pairs for n in p})
    }
    both_ways(*(loaded[name][:200] for name in pairs[0]), k)
    measured = list(starmap(lambda a, b: timed(lambda: both_ways(loaded[a], loaded[b], k)), pairs))
    return {
        "version": "dadapy " + importlib.metadata.version("dadapy"),
        "values": [value for value, _ in measured],
        "samples": [sample for _, sample in measured],
    }


if __name__ == "__main__":
    serve(task)
