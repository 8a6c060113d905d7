"""One model in its own environment: the wrapper through `extract` against its package's loop."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from meter import serve, timed


def measure(
    source: str, card: dict[str, Any], files: dict[str, str], samples: dict[str, str],
    sizes: Sequence[int], repeats: int, alone: int, threads: int,
) -> dict[str, Any]:  # fmt: skip
    sys.path.insert(0, source)
    from matteralign.models.base.torch_setup import prepare_environment
    from matteralign.models.running.jobs import load_wrapper
    from matteralign.registry.card import ModelCard
    from matteralign.store.structures import read_structures

    prepare_environment(threads, Path(tempfile.mkdtemp()))
    from calls import CALLS
    from loops import LOOPS

    model = ModelCard.model_validate(card)
    wrapper = load_wrapper(model, {n: Path(p) for n, p in files.items()}, "cpu", threads)
    loop, calls = LOOPS[model.wrapper](wrapper), CALLS[model.wrapper](wrapper)
    found: dict[str, Any] = {}
    for name, path in samples.items():
        structures = [s for s in read_structures(Path(path)).structures if not wrapper.refuse(s)]
        few = structures[:: max(1, len(structures) // alone)]
        tasks: dict[str, Callable[[], Any]] = {"wrapper": lambda x=structures: run(wrapper, x)}
        for size in sizes:
            tasks[f"batches of {size}"] = lambda x=structures, b=size: loop(x, b)
        counts = dict.fromkeys(tasks, len(structures))
        tasks["batches of one"] = lambda x=few: loop(x, 1)
        tasks["public call"] = lambda x=few: calls(x)
        counts |= {"batches of one": len(few), "public call": len(few)}
        run(wrapper, few)
        loop(few, 1)
        calls(few)
        rates: dict[str, list[float]] = {task: [] for task in tasks}
        # Turn by turn: what else the machine does meets all of them alike.
        for _ in range(repeats):
            for task, work in tasks.items():
                rates[task].append(counts[task] / timed(work)[1]["wall"])
        atoms = sum(s.n_atoms for s in structures)
        found[name] = {"n": len(structures), "atoms": atoms, "rates": rates}
    import torch

    packages = {p: version(p) for p in wrapper.packages()}
    return {"samples": found, "packages": packages, "threads": torch.get_num_threads(),
            "kernel": torch.backends.cpu.get_cpu_capability()}  # fmt: skip


def run(wrapper: Any, structures: Sequence[Any]) -> None:
    """Embed as a slice is embedded, shards and all."""
    from matteralign.models.extraction.extract import extract

    with tempfile.TemporaryDirectory() as folder:
        extract(wrapper, structures, shards=Path(folder), identity="throughput")


if __name__ == "__main__":
    serve(measure)
