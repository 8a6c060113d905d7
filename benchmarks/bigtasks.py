"""The stages of the big run, each run by a process of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import data, engine
from benchmarks.foreign.meter import peak_rss, timed
from benchmarks.machine import describe
from matteralign.metrics import Neighbors

PROGRESS_SECONDS = 10.0


def write_task(folder: str, names: list[str], n: int, d: int, seed: int) -> dict[str, Any]:
    """Write the embeddings that are not there."""
    base = peak_rss()

    def write() -> None:
        for i, name in enumerate(names):
            path = Path(folder, f"{name}.npy")
            if not path.exists():
                # A name that is not a number is a model beside the numbered ones.
                index = int(name[1:]) if name[1:].isdigit() else 10_000
                data.write_model(path, index, n, d, seed)
                print(f"  wrote {name} ({i + 1} of {len(names)})", flush=True)

    _, sample = timed(write)
    size = sum(Path(folder, f"{name}.npy").stat().st_size for name in names)
    return sample | {"base_rss": base, "note": f"{size / 1e9:.2f} GB on disk"}


def lists_task(
    folder: str, names: list[str], threads: int, memory_bytes: int, device: str = "cpu"
) -> dict[str, Any]:
    """Write the neighbour lists of the models that have none; add up what all of them took."""
    options = {
        "threads": threads,
        "memory_bytes": memory_bytes,
        "device": device,
        "id_specs": engine.default_specs("model"),
    }
    embeddings, k = engine.readers(folder, names), engine.longest_k()
    first = {names[0]: embeddings[names[0]]}
    engine.warm(first, lambda m: engine.lists(m[names[0]], k, **options))
    base, samples = peak_rss(), []
    for i, name in enumerate(names):
        path, took = Path(folder, f"{name}.lists.npz"), Path(folder, f"{name}.took.json")
        if not (path.exists() and took.exists()):
            found, sample = timed(lambda x=embeddings[name]: engine.lists(x, k, **options))
            engine.save_neighbors(path, found.neighbors)
            took.write_text(json.dumps(sample))
            print(f"  lists {name} ({i + 1} of {len(names)}): {sample['wall']:.1f} s", flush=True)
        samples.append(json.loads(took.read_text()))
    total = {clock: sum(s[clock] for s in samples) for clock in ("wall", "cpu")}
    each = [s["cpu"] for s in samples]
    note = f"k = {k}; CPU-s per model {min(each):.1f}–{max(each):.1f}"
    note += engine.device_memory()
    return total | {"base_rss": base, "note": note}


class FilePassState:
    """The state of the pass of `compare` in one file; counts the seconds of earlier, cut runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._clock = path.with_suffix(".json")
        self._begun = time.perf_counter(), time.process_time()
        found = json.loads(self._clock.read_text()) if self._clock.exists() else {}
        self.before = {"wall": found.get("wall", 0.0), "cpu": found.get("cpu", 0.0)}

    def load(self) -> dict[str, npt.NDArray[Any]] | None:
        """Return what was saved last, None at the first run."""
        if not self.path.exists():
            return None
        with np.load(self.path) as stored:
            return {name: stored[name] for name in stored.files}

    def save(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Replace what was saved."""
        partial = self.path.with_suffix(".partial.npz")
        np.savez(partial, **state)
        partial.replace(self.path)
        wall, cpu = time.perf_counter() - self._begun[0], time.process_time() - self._begun[1]
        spent = {"wall": self.before["wall"] + wall, "cpu": self.before["cpu"] + cpu}
        self._clock.write_text(json.dumps(spent))


class StoredLists(Mapping[str, Neighbors]):
    """Neighbour lists on disk, read when asked for: together they outgrow the bound."""

    def __init__(self, folder: str, names: list[str]) -> None:
        self._paths = {name: Path(folder, f"{name}.lists.npz") for name in names}

    def __getitem__(self, name: str) -> Neighbors:
        return engine.load_neighbors(self._paths[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


class Progress:
    """Prints the share done (0 to 1), at most every ten seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, share: float) -> None:
        """Take note of the share."""
        if time.monotonic() - self._last > PROGRESS_SECONDS:
            self._last = time.monotonic()
            print(f"  pairs: {share:.1%}", flush=True)


def pairs_task(
    folder: str,
    names: list[str],
    threads: int,
    memory_bytes: int,
    result: str,
    device: str = "cpu",
) -> dict[str, Any]:
    """Score all pairs under all default metrics with statistics; write the scores."""
    embeddings, specs = engine.readers(folder, names), engine.default_specs("pair")
    options: dict[str, Any] = {
        "threads": threads,
        "memory_bytes": memory_bytes,
        "device": device,
        "statistics": True,
    }
    engine.warm(dict(list(embeddings.items())[:3]), lambda m: engine.all_pairs(m, specs, **options))
    lists = StoredLists(folder, names)
    pass_state = FilePassState(Path(folder, f"{result}.checkpoint.npz"))
    facts, base = describe(), peak_rss()
    scores, sample = timed(
        lambda: engine.all_pairs(
            embeddings,
            specs,
            neighbors=lists,
            progress=Progress(),
            pass_state=pass_state,
            **options,
        )
    )
    ok = sum(s.scored.status == "ok" for s in scores)
    with Path(folder, f"{result}.jsonl").open("w") as out:
        for s in scores:
            row = {"a": s.a, "b": s.b, "metric": str(s.spec), "value": s.scored.value}
            out.write(json.dumps(row | {"debiased": s.scored.debiased}) + "\n")
    total = {clock: sample[clock] + pass_state.before[clock] for clock in ("wall", "cpu")}
    note = f"{len(specs)} metrics, {len(scores)} scores, {ok} with a value"
    note += engine.device_memory()
    if pass_state.before["wall"]:
        note += "; went on after a cut"
    return total | {
        "base_rss": base,
        "machine": facts,
        "note": note,
        "metrics": list(map(str, specs)),
    }
