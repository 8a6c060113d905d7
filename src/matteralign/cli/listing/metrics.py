"""The verb that lists the metrics: what each is, and what it may be asked."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from matteralign.metrics.base.card import DefinitionInfo, MetricInfo, ParamInfo


def metrics(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """List the metrics with their definitions, properties, cost and version."""
    from matteralign.metrics.base.registry import METRICS

    definitions = [(info, d) for info in METRICS.values() for d in info.definitions.values()]
    if as_json:
        listed = [described(*pair) for pair in definitions]
        typer.echo(json.dumps(listed, indent=1, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    for head in ("metric", "definition", "what it is"):
        table.add_column(head, overflow="fold")
    for info, definition in definitions:
        row = described(info, definition)
        what = Text(f"{row['summary']}\n")
        what.append(f"{row['source']}\n", style="italic")
        what.append(" · ".join(_properties(row)), style="dim")
        table.add_row(row["metric"], row["definition"], what)
    Console(highlight=False).print(table)


def _properties(row: Mapping[str, Any]) -> Iterator[str]:
    yield "of two models" if row["kind"] == "pair" else "of one model"
    if row["symmetric"] is not None:
        yield "symmetric" if row["symmetric"] else "a→b differs from b→a"
    low, high = row["range"]
    lowest = "−∞" if low is None else f"{low:g}".replace("-", "−")
    yield f"{lowest} … {'∞' if high is None else f'{high:g}'}"
    yield "invariant to " + ", ".join(row["invariances"])
    for name, parameter in row["parameters"].items():
        yield f"{name}: {parameter['told']}"
    yield f"cost {row['cost']}"
    yield f"version {row['version']}"


def described(info: MetricInfo, definition: DefinitionInfo) -> dict[str, Any]:
    """Return one definition of a metric as plain values; an open end of a range is None."""
    return {
        "metric": info.name,
        "kind": info.kind,
        "definition": definition.name,
        "default": definition.name == info.default_definition,
        "summary": definition.summary,
        "source": definition.source,
        # One array has no two sides.
        "symmetric": definition.symmetric if info.kind == "pair" else None,
        "range": [_finite(end) for end in definition.value_range],
        "identical": definition.identical,
        "invariances": sorted(definition.invariances),
        "least_rows": definition.min_n,
        "cost": info.cost,
        "parameters": {name: _parameter(param) for name, param in definition.params.items()},
        "version": info.version,
    }


def _parameter(param: ParamInfo) -> dict[str, Any]:
    low, high = _finite(param.low), _finite(param.high)
    if param.choices:
        told = " or ".join(param.choices)
    elif isinstance(param.default, int):
        told = f"from {low:g}" if low is not None else "any"
    else:
        told = f"between {param.low:g} and {param.high:g}"
    return {
        "default": param.default,
        "low": low,
        "high": high,
        "choices": list(param.choices),
        "told": f"{told}, default {param.default}",
    }


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
