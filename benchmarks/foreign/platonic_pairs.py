"""CKNNA of pairs by the code of platonic-rep from a folder outside the project, on torch."""

import os
import sys
import types

import numpy as np
from meter import serve, timed


def task(folder, pairs, k, repository):
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    # Imported there for an edit distance that CKNNA does not use.
    for name in ("torchaudio", "torchaudio.functional"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["torchaudio"].functional = sys.modules["torchaudio.functional"]
    sys.path.insert(0, repository)
    from metrics import AlignmentMetrics

    names = sorted({name for pair in pairs for name in pair})
    loaded = {name: torch.from_numpy(np.load(f"{folder}/{name}.npy")) for name in names}

    def score(a, b, rows=None):
        return float(AlignmentMetrics.cknna(loaded[a][:rows], loaded[b][:rows], topk=k))

    score(*pairs[0], 200)
    measured = [timed(lambda a=a, b=b: score(a, b)) for a, b in pairs]
    return {
        "version": "platonic-rep, torch " + torch.__version__,
        "values": [[value] for value, _ in measured],
        "samples": [sample for _, sample in measured],
    }


if __name__ == "__main__":
    serve(task)
