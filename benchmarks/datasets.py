"""Time and memory from files to rows, and to a slice; what is fetched or built is not timed."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import child
from benchmarks.foreign.meter import timed
from benchmarks.report import met, number, table
from benchmarks.settings import Settings

if TYPE_CHECKING:
    from matteralign.datasets.base.dataset import Rows

PARSE_BAR, SLICE_BAR, DRAW_BAR, MEMORY_BAR = 60.0, 30.0, 120.0, 3e9  # s, s, s, bytes
CORES = 2  # the bars are for two
HEAD = ("work", "rows", "wall s", "bar", "CPU-s", "peak GB", "bar")


def parse_task(dataset: str, n: int) -> dict[str, Any]:
    """Parse the first `n` rows of a dataset, all for 0, and keep them."""
    from matteralign.datasets.base.catalogue import get_dataset

    return _parsed(get_dataset(dataset).open(print), n)


def original_task(n: int, folder: str) -> dict[str, Any]:
    """Parse the authors' archive of QM9, made of the first `n` rows of the tables, all for 0."""
    from benchmarks.containers import original_qm9
    from matteralign.datasets.base.catalogue import get_dataset
    from matteralign.datasets.qm9.original import Qm9Original

    tables = {w.pinned.name: w.bring(print) for w in get_dataset("qm9").wanted()}
    files = original_qm9(Path(folder), tables, n)
    chosen = get_dataset("qm9@original")
    return _parsed(Qm9Original(chosen.card, chosen.version, files), 0)


def database_task(rows: int, n: int, seed: int, folder: str, out: str) -> dict[str, Any]:
    """Draw, read and write a slice of `n` of the rows of databases in LMDB."""
    from benchmarks.containers import databases
    from matteralign.config.slices import Slice
    from matteralign.datasets.ase_lmdb.reader import AseLmdb
    from matteralign.datasets.base.catalogue import get_dataset
    from matteralign.datasets.drawing.draw import draw_structures
    from matteralign.store.structures import write_structures

    chosen = get_dataset("omat24")
    raw = {chosen.version.files[0].name: databases(Path(folder), rows, seed)}
    drawn = Slice.model_validate(
        {"dataset": "omat24", "n": n, "seed": seed, "panel": ["random", "ecfp4"]}
    )

    def work() -> int:
        dataset = AseLmdb(chosen.card, chosen.version, raw)
        dataset.threads = CORES
        structures, walk = draw_structures(dataset, drawn)
        if walk.skipped:
            raise RuntimeError(f"a row that was written cannot be read: {walk.skipped[0]}")
        write_structures(Path(out), structures, slice_name="s", dataset="omat24")
        return len(structures)

    return _metered(work) | {"of": rows}


def _parsed(rows: Rows, n: int) -> dict[str, Any]:
    rows.threads = CORES

    def work() -> int:
        ids = rows.ids()
        return len(rows.take(ids[:n] if n else ids))

    return _metered(work)


def slice_task(dataset: str, n: int, folder: str) -> dict[str, Any]:
    """Draw, parse and write a slice of `n` rows."""
    from matteralign.config.schema import StudyConfig
    from matteralign.stages.sample import sample_slice
    from matteralign.stages.study.layout import Layout
    from matteralign.stages.study.study import open_study

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
    """Measure all, each in a process of its own; what is read is kept in the scratch folder."""
    scratch = settings.scratch
    tasks: dict[str, tuple[str, dict[str, Any]]] = {
        "parse": ("parse_task", {"dataset": "qm9", "n": settings.parse_n}),
        "slice": (
            "slice_task",
            {"dataset": "qm9", "n": settings.slice_n, "folder": str(scratch / "slices")},
        ),
        "original": (
            "original_task",
            {
                "n": settings.parse_n,
                "folder": str(scratch / f"qm9-original-{settings.parse_n or 'all'}"),
            },
        ),
        "database": (
            "database_task",
            {
                "rows": settings.database_n,
                "n": settings.slice_n,
                "seed": settings.seed,
                "folder": str(scratch / f"aselmdb-{settings.database_n}-s{settings.seed}"),
                "out": str(scratch / "slices" / "database.parquet"),
            },
        ),
    }
    return {
        key: child.run(f"datasets:{task}", given, threads=CORES)
        for key, (task, given) in tasks.items()
    }


def section(found: dict[str, Any]) -> str:
    """Return the table."""
    bars = {
        "parse": ("QM9 parsed", PARSE_BAR),
        "original": ("QM9 parsed from the authors' archive", PARSE_BAR),
        "slice": ("slice of QM9 written", SLICE_BAR),
        "database": ("slice of `.aselmdb` written", DRAW_BAR),
    }
    rows = []
    for key, (name, bar) in bars.items():
        if key not in found:
            continue
        one = found[key]
        peak = one["peak_rss"] + CORES * one["helpers"]
        rows.append(
            (
                name,
                f"{one['rows']:,}" + (f" of {one['of']:,}" if "of" in one else ""),
                f"**{number(one['wall'])}**",
                f"< {bar:g} s, {met(one['wall'] < bar)}",
                number(one["cpu"]),
                number(peak / 1e9),
                f"< {MEMORY_BAR / 1e9:g} GB, {met(peak < MEMORY_BAR)}",
            )
        )
    text = (
        "QM9 from the tables of the registry package on disk, and from the authors' "
        "`dsgdb9nsd.xyz.tar.bz2`, built anew from the records of the tables: coordinates, "
        "canonical SMILES, SELFIES. Two processes parse for one that reads and writes; the peak "
        "is the sum of all three. `.aselmdb`: files of up to 20,000 rows, written by the "
        "publishers' library (`ase-db-backends`), about 18 atoms with energy, forces and stress "
        "in a row; one file is written, the others are its copies, and all may lie in the "
        "system's cache. One process draws, reads and writes."
    )
    return f"{text}\n\n{table(HEAD, rows)}"
