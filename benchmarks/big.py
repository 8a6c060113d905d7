"""The study's size for real: 50,000 rows, 45 models, read from disk, stage by stage.

Every stage is a process of its own, so that its peak memory can be seen, and leaves what it
made below the scratch folder, so that a run that was cut goes on where it was.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import child, data
from benchmarks.report import number, table
from benchmarks.settings import Settings

WIDE = "wide"
WIDE_BESIDE = 7
PARTS = ("write", "lists", "pairs")
BAR_MINUTES = 12.0


def _stages(settings: Settings) -> list[tuple[str, str, dict[str, Any]]]:
    names = [data.name(i) for i in range(settings.big_models)]
    common: dict[str, Any] = {"folder": str(_folder(settings))}
    sizes = {"n": settings.big_n, "seed": settings.seed}
    options = {"memory_bytes": settings.memory_bytes, "device": settings.device}
    work = common | options | {"threads": settings.big_threads}
    stages = [
        ("write", "write_task", common | sizes | {"names": names, "d": settings.big_d}),
        ("lists", "lists_task", work | {"names": names}),
        ("pairs", "pairs_task", work | {"names": names, "result": "pairs"}),
    ]
    if settings.big_wide:
        mixed = [*names[:WIDE_BESIDE], WIDE]
        wide = {"names": [WIDE], "d": settings.big_wide}
        stages += [
            ("wide: write", "write_task", common | sizes | wide),
            ("wide: lists", "lists_task", work | {"names": [WIDE]}),
            ("wide: pairs", "pairs_task", work | {"names": mixed, "result": "wide"}),
        ]
    return stages


def _folder(settings: Settings) -> Path:
    n, d, wide = settings.big_n, settings.big_d, settings.big_wide
    name = f"big-n{n}-d{d}-m{settings.big_models}-w{wide}-s{settings.seed}"
    # What one device has left is not gone on with on another.
    return settings.scratch / (name if settings.device == "cpu" else f"{name}-{settings.device}")


def measure(settings: Settings) -> dict[str, Any]:
    """Run the stages that have not been run yet; return what all of them took."""
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / "stages.json"
    stages: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {}
    for title, task, arguments in _stages(settings):
        if title in stages:
            print(f"big: {title}: done before", flush=True)
            continue
        print(f"big: {title}: begins", flush=True)
        found = child.run(f"bigtasks:{task}", arguments, threads=settings.big_threads)
        stages[title] = found
        record.write_text(json.dumps(stages))
        print(
            f"big: {title}: {found['wall']:.0f} s wall, {found['cpu']:.0f} s CPU, "
            f"peak {(found['peak_rss'] or 0) / 1e9:.2f} GB",
            flush=True,
        )
    return {
        "n": settings.big_n,
        "models": settings.big_models,
        "d": settings.big_d,
        "wide": settings.big_wide,
        "threads": settings.big_threads,
        "device": settings.device,
        "memory_gb": settings.memory_gb,
        "stages": stages,
    }


def section(found: dict[str, Any]) -> str:
    """Return the Markdown of this section."""
    stages = found["stages"]
    rows = [
        [
            title,
            number(stage["wall"]),
            number(stage["cpu"]),
            number((stage["peak_rss"] or 0) / 1e9),
            number((stage["base_rss"] or 0) / 1e9),
            stage.get("note", ""),
        ]
        for title, stage in stages.items()
    ]
    minutes = (stages["lists"]["wall"] + stages["pairs"]["wall"]) / 60.0
    at_size = (found["n"], found["models"], found["d"]) == (50_000, 45, 512)
    bar = f"bar ≤ {BAR_MINUTES:.0f} minutes, " + ("met" if minutes <= BAR_MINUTES else "not met")
    ending = bar if at_size else "not the size of the bar"
    facts = stages["pairs"]["machine"]
    return "\n\n".join(
        [
            f"N = {found['n']}, {found['models']} models, d = {found['d']}, float32 on disk, read "
            f"by rows; {found['threads']} thread(s), device {found['device']}, bound "
            f"{found['memory_gb']:g} GiB on the "
            f"working blocks. Neighbour lists and all default metrics with statistics: "
            f"**{minutes:.1f} minutes** ({ending}). Measured, not extrapolated; load average "
            f"when the pairs began: {facts['load'][0]}; their BLAS: {'; '.join(facts['blas'])}.",
            table(("stage", "wall s", "CPU-s", "peak GB", "GB before work", "note"), rows),
        ]
    )
