"""What DADApy gives for the tasks of a file; run by the interpreter of environment `peers`."""

import json
import sys

import dadapy
import numpy as np


def main(tasks_file: str, out_file: str) -> None:
    with np.load(tasks_file) as arrays:
        names = json.loads(str(arrays["tasks"]))
        values = {}
        for name in names:
            kind, *rest = name.split("|")
            x = arrays[f"{name}|x"]
            if kind == "twonn":
                values[name] = [float(dadapy.Data(coordinates=x, maxk=5).compute_id_2NN()[0])]
                continue
            y, k = arrays[f"{name}|y"], int(rest[-1])
            both = np.hstack([x, y])
            first = list(range(x.shape[1]))
            second = list(range(x.shape[1], both.shape[1]))
            peer = dadapy.MetricComparisons(coordinates=both, maxk=len(x) - 1)
            pair = peer.return_inf_imb_two_selected_coords(first, second, k=k)
            values[name] = [float(value) for value in pair]
    with open(out_file, "w") as handle:
        json.dump(values, handle)


if __name__ == "__main__":
    main(*sys.argv[1:])
