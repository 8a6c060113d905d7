"""Peers against the engine: same data, same threads, ratios within one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import child, data, engine
from benchmarks.limit import prepare
from benchmarks.report import met, number, spread, table
from benchmarks.settings import Settings

Result = dict[str, Any]
K_CKNNA, K_IMBALANCE, K_MLE = 25, 1, 50
BAR_SIZE = (5000, 256, 8)
"""Rows, columns and models at which the bars are set."""


@dataclass(frozen=True)
class Peer:
    """One implementation to compare with.

    Attributes
    ----------
    key, title : str
    wanted : engine.Wanted
        The metric as the engine names it.
    bar : float or None
        Least ratio of CPU seconds that this project asks of itself.
    run : callable
        Measures the pairs (or models) it is given; raises `NotMeasured` with the reason.
    """

    key: str
    title: str
    wanted: engine.Wanted
    bar: float | None
    run: Callable[[Settings, list[Any]], Result]

    @property
    def per_model(self) -> bool:
        """Whether a unit of work is one model, not one pair."""
        return self.wanted[0] == "mle"


class NotMeasured(Exception):  # noqa: N818 - an outcome, not a fault
    """A peer that cannot be run here, and why."""


def _here(task: str, **more: Any) -> Callable[[Settings, list[Any]], Result]:
    unit = "names" if task == "skdim_task" else "pairs"

    def run(settings: Settings, units: list[Any]) -> Result:
        arguments = {"folder": str(settings.data), unit: units, **more}
        return child.run(f"peers:{task}", arguments, threads=settings.threads)

    return run


def _dadapy(settings: Settings, units: list[Any]) -> Result:
    from matteralign.core.errors import MatterAlignError
    from matteralign.registry.environments import get_environment
    from matteralign.stages.runtime.environments import ensure_environment

    try:
        python = ensure_environment(get_environment("peers"))
    except MatterAlignError as error:
        raise NotMeasured(f"environment `peers` could not be built: {error}") from error
    arguments = {"folder": str(settings.data), "pairs": units, "k": K_IMBALANCE}
    return child.run_foreign(python, "dadapy_pairs.py", arguments, threads=settings.threads)


def _on_torch(
    script: str, option: str, marker: str, **more: Any
) -> Callable[[Settings, list[Any]], Result]:
    def run(settings: Settings, units: list[Any]) -> Result:
        folder = getattr(settings, option)
        flag = "--" + option.replace("_", "-")
        if folder is None or settings.torch_python is None:
            raise NotMeasured(f"needs {flag} (a checkout) and --torch-python")
        if not (Path(folder) / marker).exists():
            raise NotMeasured(f"no {marker} below {flag}")
        arguments = {
            "folder": str(settings.data),
            "pairs": units,
            "repository": str(folder),
            **more,
        }
        return child.run_foreign(settings.torch_python, script, arguments, threads=settings.threads)

    return run


PEERS = (
    Peer(
        "cknna-platonic",
        "platonic-rep `cknna`, its authors' code",
        ("cknna", "huh2024", {"k": K_CKNNA}),
        200.0,
        _on_torch("platonic_pairs.py", "platonic_rep", "metrics.py", k=K_CKNNA),
    ),
    Peer(
        "cknna-dense",
        "dense CKNNA, re-derived, with the product KL",
        ("cknna", "huh2024", {"k": K_CKNNA}),
        200.0,
        _here("dense_task", k=K_CKNNA, product=True),
    ),
    Peer(
        "cknna-dense-sums",
        "dense CKNNA, re-derived, without the product KL",
        ("cknna", "huh2024", {"k": K_CKNNA}),
        None,
        _here("dense_task", k=K_CKNNA, product=False),
    ),
    Peer(
        "dcor",
        "dcor, N·N·d temporaries worked around",
        ("dcor", "root", {}),
        170.0,
        _here("dcor_task"),
    ),
    Peer(
        "imbalance",
        "DADApy information imbalance, all rows",
        ("information_imbalance", "rank", {"k": K_IMBALANCE}),
        60.0,
        _dadapy,
    ),
    Peer(
        "idcor",
        "IDCorrelation, its authors' code, no p-value",
        ("idcor", "", {"permutations": 0}),
        24.0,
        _on_torch("idcor_pairs.py", "idcorrelation", "utils/metrics.py"),
    ),
    Peer(
        "mle",
        "scikit-dimension MLE (per model)",
        ("mle", "levina_bickel", {"k": K_MLE}),
        1.0,
        _here("skdim_task", k=K_MLE),
    ),
)


def _engine(settings: Settings, peer: Peer, names: list[str]) -> Result:
    arguments: dict[str, Any] = {
        "folder": str(settings.data),
        "names": names,
        "repeats": settings.repeats,
    }
    if peer.per_model:
        arguments["k"] = K_MLE
        return child.run("engine:dimension_task", arguments, threads=settings.threads)
    arguments |= {"wanted": [peer.wanted], "threads": settings.threads}
    return child.run("engine:pairs_task", arguments, threads=settings.threads)


def _difference(peer: Peer, theirs: Result, ours: Result, units: list[Any]) -> float:
    """Return the largest difference between the values of the two."""
    if peer.per_model:
        known = dict(ours["values"])
        pairs = [(known[u], v[0]) for u, v in zip(units, theirs["values"], strict=True)]
    else:
        known = {(a, b): value for a, b, value in ours["values"]}
        pairs = []
        for (a, b), found in zip(units, theirs["values"], strict=True):
            pairs += zip((known[a, b], known[b, a]), found, strict=False)
    return max(abs(x - y) for x, y in pairs)


def measure(settings: Settings, peer: Peer) -> dict[str, Any]:
    """Measure one peer and the engine around it; a row of the table."""
    names = [data.name(i) for i in range(settings.models)]
    pairs = [list(p) for p in combinations(names, 2)]
    total = len(names) if peer.per_model else len(pairs)
    units = names if peer.per_model else pairs[:: max(1, len(pairs) // settings.peer_pairs)]
    units = units[: max(1, settings.peer_pairs)]
    row: dict[str, Any] = {"key": peer.key, "title": peer.title, "bar": peer.bar, "total": total}
    row["at_bar"] = (settings.n, settings.d, settings.models) == BAR_SIZE
    reason = engine.missing(peer.wanted[0])
    ours = None if reason else _engine(settings, peer, names)
    try:
        theirs = peer.run(settings, units)
    except (NotMeasured, child.ChildError) as error:
        row["peer_missing"] = str(error)
        theirs = None
    if ours is None:
        row["engine_missing"] = reason
    else:
        # Once before and once after the peer: the machine may have been busy at one of them.
        again = _engine(settings, peer, names)
        row |= {"engine": ours["samples"] + again["samples"], "engine_rss": ours["peak_rss"]}
        row["machine"] = ours["machine"]
        if not peer.per_model:
            row["calibrated"] = ours["calibrated"] + again["calibrated"]
    if theirs is not None:
        row |= {"peer": theirs["samples"], "peer_rss": theirs["peak_rss"], "measured": len(units)}
        row["version"] = theirs["version"]
    if ours is not None and theirs is not None:
        row["difference"] = _difference(peer, theirs, ours, units)
        row |= ratios(row, per_model=peer.per_model)
    return row


def ratios(row: dict[str, Any], *, per_model: bool) -> dict[str, Any]:
    """Return peer over engine for all pairs, in CPU and wall seconds: median, least, most."""
    found = {}
    for clock in ("cpu", "wall"):
        peer = np.array([s[clock] for s in row["peer"]]) * (1 if per_model else row["total"])
        ours = np.array([s[clock] for s in row["engine"]])
        found[f"ratio_{clock}"] = [
            float(np.median(peer) / np.median(ours)),
            float(peer.min() / ours.max()),
            float(peer.max() / ours.min()),
        ]
    return found


HEAD = (
    "peer",
    "CPU-s per pair, peer",
    "measured",
    "CPU-s all pairs, engine",
    "with statistics",
    "ratio CPU",
    "ratio wall",
    "bar",
    "largest difference",
    "peak GB, peer / engine",
)


def cells(row: dict[str, Any]) -> list[str]:
    def seconds(key: str) -> str:
        return spread([s["cpu"] for s in row[key]]) if key in row else "–"

    def ratio(clock: str) -> str:
        if f"ratio_{clock}" not in row:
            return "–"
        middle, least, most = row[f"ratio_{clock}"]
        return f"**{number(middle)}** ({number(least)}–{number(most)})"

    title = f"{row['title']} ({row['version']})" if "version" in row else row["title"]
    peer = seconds("peer") if "peer" in row else f"not measured: {row['peer_missing']}"
    ours = seconds("engine") if "engine" in row else f"not measured: {row['engine_missing']}"
    bar = "–" if row["bar"] is None else f"≥ {row['bar']:g}"
    if row["bar"] is not None and "ratio_cpu" in row and row["at_bar"]:
        bar += f", {met(row['ratio_cpu'][0] >= row['bar'])}"
    memory = " / ".join(
        number(row[k] / 1e9) if row.get(k) else "–" for k in ("peer_rss", "engine_rss")
    )
    measured = f"{row['measured']} of {row['total']}" if "measured" in row else "–"
    return [
        title,
        peer,
        measured,
        ours,
        seconds("calibrated"),
        ratio("cpu"),
        ratio("wall"),
        bar,
        number(row.get("difference")),
        memory,
    ]


def measure_all(settings: Settings) -> dict[str, Any]:
    """Measure the peers asked for, printing every row as it comes."""
    prepare(settings, settings.n, settings.d, settings.models)
    rows = []
    for peer in PEERS:
        if not settings.peers or peer.key in settings.peers:
            rows.append(measure(settings, peer))
            print(" | ".join(cells(rows[-1])), flush=True)
    sizes = {key: getattr(settings, key) for key in ("n", "d", "models", "threads")}
    return sizes | {"rows": rows}


def section(found: dict[str, Any]) -> str:
    """Return the Markdown of this section."""
    return "\n\n".join(
        [
            f"All pairs of {found['models']} models, N = {found['n']}, d = {found['d']}, float32, "
            f"{found['threads']} thread(s) on both sides. Median (least–most). Where not every "
            "pair of a peer was measured, its total is the measured median times the number of "
            "pairs. The engine's seconds are for everything from the arrays on, neighbour lists "
            "included, compiling excluded. The row of MLE is per model.",
            table(HEAD, [cells(row) for row in found["rows"]]),
        ]
    )
