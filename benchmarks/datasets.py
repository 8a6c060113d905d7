"""Time and memory from the files of QM9 to rows, and to a slice; what is fetched is not timed."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import child
from benchmarks.foreign.meter import timed
from benchmarks.report import met, number, table
from benchmarks.settings import Settings

PARSE_BAR, SLICE_BAR, MEMORY_BAR = 60.0, 30.0, 3e9  # s, s, bytes
CORES = 2  # the bars are for two
HEAD = ("work", "rows", "wall s", "bar", "CPU-s", "peak GB", "bar")


def parse_task(dataset: str, n: int) -> dict[str, Any]:
    """Parse the first `n` rows of a dataset, all for 0, and keep them."""
    from matteralign.datasets.catalogue import get_dataset

    rows = get_dataset(dataset).open(print)

    rows.threads = CORES

    def work() -> int:
        ids = rows.ids()
        return len(rows.take(ids[:n] if n else ids))

    return _metered(work)


def slice_task(dataset: str, n: int, folder: str) -> dict[str, Any]:
    """Draw, parse and write a slice of `n` rows."""
    from matteralign.align.layout import Layout
    from matteralign.align.sample import sample_slice
    from matteralign.align.study import open_study
    from matteralign.config.schema import StudyConfig

    chosen = {"dataset": dataset, "n": n, "seed": 0, "panel": ["random", "ecfp4"]}
    study = open_study(StudyConfig.model_validate({"slices": {"s": chosen}}))
    study.dataset(dataset).open(print)
    layout = Layout(Path(folder), "s")

    def work() -> int:
        sample_slice(study, layout, print, CORES)
        return n

    return _metered(work)


def _metered(work: Callable[[], int]) -> dict[str, Any]:
    """Return rows and seconds, those of started processes among them, and the largest of these."""
    rows, seconds = timed(work)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = seconds["cpu"] + ended.ru_utime + ended.ru_stime
    return {"rows": rows, "wall": seconds["wall"], "cpu": cpu, "helpers": ended.ru_maxrss * 1024}


def measure(settings: Settings) -> dict[str, Any]:
    """Measure both, each in a process of its own."""
    sizes = {"dataset": "qm9", "n": settings.parse_n}
    parsed = child.run("datasets:parse_task", sizes, threads=CORES)
    drawn = {"dataset": "qm9", "n": settings.slice_n, "folder": str(settings.scratch / "slices")}
    return {"parse": parsed, "slice": child.run("datasets:slice_task", drawn, threads=CORES)}


def section(found: dict[str, Any]) -> str:
    """Return the table."""
    bars = {"parse": ("QM9 parsed", PARSE_BAR), "slice": ("slice of QM9 written", SLICE_BAR)}
    rows = []
    for key, (name, bar) in bars.items():
        one = found[key]
        peak = one["peak_rss"] + CORES * one["helpers"]
        rows.append(
            (
                name,
                f"{one['rows']:,}",
                f"**{number(one['wall'])}**",
                f"< {bar:g} s, {met(one['wall'] < bar)}",
                number(one["cpu"]),
                number(peak / 1e9),
                f"< {MEMORY_BAR / 1e9:g} GB, {met(peak < MEMORY_BAR)}",
            )
        )
    text = (
        "From the tables of the registry package on disk: coordinates, canonical SMILES, SELFIES. "
        "Two processes parse for one that reads and writes; the peak is the sum of all three."
    )
    return f"{text}\n\n{table(HEAD, rows)}"
