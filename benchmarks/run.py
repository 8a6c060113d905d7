"""Command line of the harness: measure, print, write tables and plots."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import big, child, datasets, limit, ratios, scaling, startup, throughput
from benchmarks.machine import lines
from benchmarks.settings import SECTIONS, Settings

PAGE, RECORD = "benchmarks.md", "benchmarks.json"
QUICK = {
    "n": 600,
    "d": 32,
    "models": 4,
    "repeats": 2,
    "peer_pairs": 2,
    "limit_n": 1500,
    "limit_d": 64,
    "scaling_n": (250, 500, 1000),
    "scaling_m": (2, 4),
    "scaling_fixed_n": 500,
    "throughput_n": 16,
    "parse_n": 300,
    "slice_n": 200,
    "database_n": 500,
}
FULL = {
    "n": 5000,
    "d": 256,
    "models": 8,
    "repeats": 3,
    "peer_pairs": 3,
    "limit_n": 20_000,
    "limit_d": 512,
    "scaling_n": (1000, 2000, 5000, 10_000, 20_000),
    "scaling_m": (2, 4, 8, 16),
    "scaling_fixed_n": 5000,
    "throughput_n": 256,
    "parse_n": 0,
    "slice_n": 50_000,
    "database_n": 1_000_000,
}


def facts_task() -> dict[str, Any]:
    """Return the machine as a measuring process sees it."""
    from benchmarks.machine import describe

    return describe()


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """Return the settings of a command line."""
    keys = [peer.key for peer in ratios.PEERS]
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    add = parser.add_argument
    add("--only", action="append", choices=(*SECTIONS, "big"), help="sections; all but big")
    add("--peers", action="append", choices=keys, help="peers to measure; all")
    add("--quick", action="store_true", help="tiny sizes: does everything work?")
    for size in ("n", "d", "models", "repeats", "peer-pairs", "limit-n", "limit-d", "throughput-n"):
        add(f"--{size}", type=int)
    add("--parse-n", type=int, help="rows of QM9 parsed; 0 for all")
    add("--slice-n", type=int, help="rows of the slices that are drawn")
    add("--database-n", type=int, help="rows of the databases in LMDB that one is drawn of")
    add("--models-measured", nargs="+", choices=throughput.MODELS, default=throughput.MODELS)
    add("--scaling-n", type=int, nargs="+")
    add("--scaling-m", type=int, nargs="+")
    add("--scaling-fixed-n", type=int)
    add("--threads", type=int, default=1, help="of both sides")
    add("--big", action="store_true", help="add the study's size: hours for some engines")
    add("--big-n", type=int, default=50_000)
    add("--big-models", type=int, default=45)
    add("--big-d", type=int, default=512)
    add("--big-wide", type=int, default=5120, help="columns of one wide embedding; 0 for none")
    add("--big-threads", type=int, default=2)
    add("--device", default="cpu", help="of the big run: cpu, cuda, cuda:1, torch")
    add("--memory-gb", type=float, default=4.0, help="the engine's bound in the big run, GiB")
    add("--seed", type=int, default=0)
    add("--scratch", type=Path, default=child.ROOT / "build" / "bench")
    add("--out", type=Path, default=child.ROOT / "docs", help="where benchmarks.md goes")
    add("--platonic-rep", type=Path, help="a checkout of the peer, outside this repository")
    add("--idcorrelation", type=Path, help="a checkout of the peer, outside this repository")
    add("--torch-python", type=Path, help="an interpreter with torch for those two")
    given = vars(parser.parse_args(arguments))
    sizes = QUICK if given.pop("quick") else FULL
    sections = tuple(given.pop("only") or SECTIONS)
    if given.pop("big") and "big" not in sections:
        sections += ("big",)
    chosen = {k: v for k, v in given.items() if v is not None or k not in sizes}
    chosen["peers"] = tuple(chosen["peers"] or ())
    chosen["models_measured"] = tuple(chosen["models_measured"])
    for key in ("scaling_n", "scaling_m"):
        chosen[key] = tuple(chosen.get(key, sizes[key]))
    for key in ("scratch", "out", "platonic_rep", "idcorrelation"):
        chosen[key] = chosen[key] and chosen[key].resolve()
    if chosen["torch_python"]:
        # Resolving would follow the link out of the virtual environment.
        chosen["torch_python"] = chosen["torch_python"].absolute()
    return Settings(sections=sections, **{**sizes, **chosen})


MEASURE = {
    "peers": ratios.measure_all,
    "limit": limit.measure,
    "scaling": scaling.measure,
    "throughput": throughput.measure,
    "datasets": datasets.measure,
    "startup": startup.measure,
    "big": big.measure,
}
TITLES = {
    "peers": "Peers",
    "limit": "Share of the sgemm limit",
    "scaling": "Scaling",
    "throughput": "Throughput of the models",
    "datasets": "Datasets",
    "startup": "Start of the command line",
    "big": "The study's size",
}


def measure(settings: Settings, found: dict[str, Any]) -> None:
    """Run the sections asked for; each is put into `found`, and written, when it is done."""
    settings.scratch.mkdir(parents=True, exist_ok=True)
    settings.out.mkdir(parents=True, exist_ok=True)
    for name, work in MEASURE.items():
        if name in settings.sections:
            machine = child.run("run:facts_task", {}, threads=settings.threads)
            print(f"{TITLES[name]}\n" + "\n".join(lines(machine)), flush=True)
            found[name] = work(settings) | {"on": machine}
            (settings.out / RECORD).write_text(json.dumps(found, indent=1) + "\n")
            (settings.out / PAGE).write_text(markdown(found, settings.out))


def markdown(found: dict[str, Any], out: Path) -> str:
    """Return the whole page; plots are written below `out` on the way."""
    parts = [
        "# Benchmarks",
        "Written by `make bench` (`python -m benchmarks`, folder `benchmarks/`). Every measurement "
        "runs in a process of its own; CPU seconds are those of all its threads. Sections may "
        "come from different runs, a ratio never does.",
    ]
    texts = {
        "peers": ratios.section,
        "limit": limit.section,
        "scaling": lambda part: scaling.section(part, out),
        "throughput": throughput.section,
        "datasets": datasets.section,
        "startup": startup.section,
        "big": big.section,
    }
    for name, text in texts.items():
        if name in found:
            parts += [f"## {TITLES[name]}", "\n".join(lines(found[name]["on"]))]
            parts.append(text(found[name]))
    return "\n\n".join(parts) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for and write it down.

    Sections of an earlier run in the same folder that are not asked for are kept.
    """
    settings = parse(arguments)
    record = settings.out / RECORD
    found: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {}
    measure(settings, found)
    print((settings.out / PAGE).read_text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
