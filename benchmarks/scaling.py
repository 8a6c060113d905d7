"""Cost against the sample size, the number of models and the number of scalings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import child, data, engine
from benchmarks.foreign.meter import timed
from benchmarks.limit import prepare
from benchmarks.report import exponent, number, plot, table
from benchmarks.settings import Settings

MODELS = 8
SCALED, SCALINGS = 4, ["none", "row_max", "l2"]
KINDS = {"lists": "neighbour lists", "pairs": "all default metrics of all pairs"}


def cost_task(folder: str, names: list[str], threads: int) -> dict[str, Any]:
    """Time the lists of all models and then all default metrics of all pairs from them."""
    embeddings, specs = engine.load(folder, names), engine.default_specs("pair")
    k = engine.longest_k()

    def lists(given: dict[str, Any]) -> dict[str, Any]:
        return {key: engine.lists(x, k, threads=threads).neighbors for key, x in given.items()}

    def pairs(given: dict[str, Any], found: dict[str, Any]) -> Any:
        return engine.all_pairs(given, specs, neighbors=found, threads=threads, statistics=True)

    engine.warm({n: embeddings[n] for n in names[:2]}, lambda m: pairs(m, lists(m)))
    found, first = timed(lambda: lists(embeddings))
    _, second = timed(lambda: pairs(embeddings, found))
    return {"lists": first, "pairs": second}


def scalings_task(folder: str, names: list[str], threads: int) -> dict[str, Any]:
    """Time the lists of every model under several scalings, each alone and all together."""
    embeddings, k = engine.load(folder, names), engine.longest_k()

    def lists(given: dict[str, Any], modes: list[str]) -> None:
        for x in given.values():
            engine.lists_of_scalings(x, k, modes, threads=threads)

    engine.warm({names[0]: embeddings[names[0]]}, lambda m: lists(m, SCALINGS))
    alone = timed(lambda: [lists(embeddings, [mode]) for mode in SCALINGS])[1]
    return {"alone": alone, "together": timed(lambda: lists(embeddings, SCALINGS))[1]}


def measure(settings: Settings) -> dict[str, Any]:
    """Measure both curves."""

    def one(n: int, models: int) -> dict[str, Any]:
        prepare(settings, n, settings.d, models)
        arguments = {
            "folder": str(settings.folder(n, settings.d)),
            "names": [data.name(i) for i in range(models)],
            "threads": settings.threads,
        }
        found = child.run("scaling:cost_task", arguments, threads=settings.threads)
        print(
            f"scaling: N = {n}, M = {models}: {found['lists']['cpu']:.2f} s lists, "
            f"{found['pairs']['cpu']:.2f} s pairs",
            flush=True,
        )
        return found | {"n": n, "models": models}

    def scalings(n: int) -> dict[str, Any]:
        prepare(settings, n, settings.d, SCALED)
        arguments = {
            "folder": str(settings.folder(n, settings.d)),
            "names": [data.name(i) for i in range(SCALED)],
            "threads": settings.threads,
        }
        found = child.run("scaling:scalings_task", arguments, threads=settings.threads)
        print(f"scalings: {found['alone']['cpu']:.2f} s alone, {found['together']['cpu']:.2f} s")
        return found | {"n": n}

    return {
        "scalings": scalings(settings.scaling_fixed_n),
        "d": settings.d,
        "threads": settings.threads,
        "fixed_n": settings.scaling_fixed_n,
        "against_n": [one(n, MODELS) for n in settings.scaling_n],
        "against_m": [one(settings.scaling_fixed_n, m) for m in settings.scaling_m],
    }


def section(found: dict[str, Any], out: Path) -> str:
    """Write the plots below `out` and return the Markdown of this section."""
    parts = [
        "Lists once per model, then every default metric of every pair with all statistics, "
        "from those lists.",
    ]
    fixed = {"n": f"{MODELS} models", "models": f"N = {found['fixed_n']}"}
    titles = {"n": "rows N", "models": "models M"}
    for key, axis in (("against_n", "n"), ("against_m", "models")):
        points = found[key]
        x = [p[axis] for p in points]
        series = {label: (x, [p[kind]["cpu"] for p in points]) for kind, label in KINDS.items()}
        file = f"bench-{key.replace('_', '-')}.svg"
        heading = f"{fixed[axis]}, d = {found['d']}, {found['threads']} thread(s)"
        plot(out / "images" / file, series, (titles[axis], "CPU seconds"), heading)
        head = (titles[axis], *(f"CPU-s, {label}" for label in KINDS.values()), "peak GB")
        rows = [
            [
                p[axis],
                *(number(p[kind]["cpu"]) for kind in KINDS),
                number((p["peak_rss"] or 0) / 1e9),
            ]
            for p in points
        ]
        slopes = [exponent(x, y) for _, y in series.values()]
        rows.append(["exponent", *("–" if s is None else f"{s:.2f}" for s in slopes), "–"])
        parts += [f"![CPU seconds against {titles[axis]}](images/{file})", table(head, rows)]
    if "scalings" in found:
        scaled = found["scalings"]
        alone, together = (scaled[key]["cpu"] for key in ("alone", "together"))
        parts.append(
            f"Lists under {', '.join(SCALINGS)}, N = {scaled['n']}, {SCALED} models: "
            f"{number(alone)} CPU-s each scaling alone, {number(together)} CPU-s from one product "
            f"of rows, a ratio of {number(alone / together)}."
        )
    return "\n\n".join(parts)
