"""IdCor of pairs by its authors' code from a folder outside the project, on torch."""

import os
import sys

import numpy as np
from meter import serve, timed


def task(folder, pairs, repository):
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    sys.path.insert(0, repository)
    from utils.metrics import id_correlation

    names = sorted({name for pair in pairs for name in pair})
    loaded = {name: torch.from_numpy(np.load(f"{folder}/{name}.npy")) for name in names}

    def score(a, b, rows=None):
        found = id_correlation(loaded[a][:rows], loaded[b][:rows], return_pvalue=False)
        return float(found["corr"])

    score(*pairs[0], 200)
    measured = [timed(lambda a=a, b=b: score(a, b)) for a, b in pairs]
    return {
        "version": "IDCorrelation, torch " + torch.__version__,
        "values": [[value] for value, _ in measured],
        "samples": [sample for _, sample in measured],
    }


if __name__ == "__main__":
    serve(task)
