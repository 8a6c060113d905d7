"""How much of the machine's measured sgemm rate the engine turns into distances."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks import child, data, engine
from benchmarks.foreign.meter import timed
from benchmarks.machine import describe
from benchmarks.report import met, number, spread, table
from benchmarks.settings import Settings
from matteralign.metrics import MetricSpec

MODELS = 8
BAR = 60.0
BAR_SIZE = (20_000, 512)


def sgemm_task(size: int, repeats: int) -> dict[str, Any]:
    """Time square float32 products of `size`."""
    x = np.random.default_rng(0).standard_normal((size, size)).astype(np.float32)
    out = np.empty_like(x)
    np.matmul(x[:512, :512], x[:512, :512])
    samples = [timed(lambda: np.matmul(x, x, out=out))[1] for _ in range(repeats)]
    return {"samples": samples, "flops": 2.0 * size**3, "machine": describe()}


def neighbors_task(folder: str, names: list[str], threads: int) -> dict[str, Any]:
    """Time the neighbour lists of every model."""
    embeddings, k = engine.load(folder, names), engine.longest_k()
    engine.warm(embeddings, lambda m: engine.lists(m[names[0]], k, threads=threads))
    samples = [
        timed(lambda x=x: engine.lists(x, k, threads=threads))[1] for x in embeddings.values()
    ]
    return {"samples": samples, "k": k}


def distances_task(folder: str, names: list[str], threads: int) -> dict[str, Any]:
    """Time dCor of all pairs: one pass over all distances."""
    embeddings, specs = engine.load(folder, names), [MetricSpec("dcor", "root")]

    def call(given: dict[str, Any]) -> Any:
        return engine.all_pairs(given, specs, threads=threads, statistics=False)

    engine.warm(embeddings, call)
    return {"samples": [timed(lambda: call(embeddings))[1]]}


def measure(settings: Settings) -> dict[str, Any]:
    """Measure sgemm before and after, kNN and the dCor pass between."""
    n, d = settings.limit_n, settings.limit_d
    folder = settings.folder(n, d)
    prepare(settings, n, d, MODELS)
    names, threads = [data.name(i) for i in range(MODELS)], settings.threads
    size = {"size": min(8192, max(1024, n // 2)), "repeats": 3}
    common = {"folder": str(folder), "threads": threads}
    sgemm = child.run("limit:sgemm_task", size, threads=threads)
    lists = child.run("limit:neighbors_task", common | {"names": names[:3]}, threads=threads)
    dcor = child.run("limit:distances_task", common | {"names": names}, threads=threads)
    again = child.run("limit:sgemm_task", size, threads=threads)
    sgemm["samples"] += again["samples"]
    found = {"n": n, "d": d, "threads": threads, "machine": sgemm["machine"], "k": lists["k"]}
    found["gflops"] = {
        clock: [sgemm["flops"] / s[clock] / 1e9 for s in sgemm["samples"]]
        for clock in ("cpu", "wall")
    }
    useful = float(n) * n * d
    for key, result, models in (("kNN", lists, 1), ("dCor", dcor, MODELS)):
        found[key] = {
            "samples": result["samples"],
            "peak_rss": result["peak_rss"],
            "share": {
                clock: 100.0
                * models
                * useful
                / float(np.median([s[clock] for s in result["samples"]]))
                / (1e9 * max(found["gflops"][clock]))
                for clock in ("cpu", "wall")
            },
        }
    return found


def prepare(settings: Settings, n: int, d: int, models: int) -> None:
    """Write the embeddings that are not there yet."""
    folder = settings.folder(n, d)
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(models):
        path = folder / f"{data.name(index)}.npy"
        if not path.exists():
            data.write_model(path, index, n, d, settings.seed)


def _bar(found: dict[str, Any], share: float) -> str:
    bar = f"≥ {BAR:.0f} %"
    if (found["n"], found["d"]) != BAR_SIZE:
        return bar
    return f"{bar}, {met(share >= BAR)}"


def section(found: dict[str, Any]) -> str:
    """Return the Markdown of this section."""
    n, d = found["n"], found["d"]
    what = {
        "kNN": f"`summarize`, lists of k = {found['k']} (three kinds), one model",
        "dCor": f"`compare`, dCor of all pairs of {MODELS} models",
    }
    rows = [
        [
            what[key],
            spread([s["cpu"] for s in found[key]["samples"]]),
            spread([s["wall"] for s in found[key]["samples"]]),
            f"**{found[key]['share']['cpu']:.0f} %**",
            f"{found[key]['share']['wall']:.0f} %",
            _bar(found, found[key]["share"]["cpu"]),
            number((found[key]["peak_rss"] or 0) / 1e9),
        ]
        for key in ("kNN", "dCor")
    ]
    head = ("work", "CPU-s", "wall s", "of sgemm, CPU", "of sgemm, wall", "bar", "peak GB")
    return "\n\n".join(
        [
            f"N = {n}, d = {d}, {found['threads']} thread(s). Best measured sgemm: "
            f"{max(found['gflops']['cpu']):.0f} GF/s per CPU second, "
            f"{max(found['gflops']['wall']):.0f} GF/s. Useful work is N²·d flops per model: "
            "every distance once. Selecting, ranking and the products between models are not "
            "counted as useful.",
            table(head, rows),
        ]
    )
