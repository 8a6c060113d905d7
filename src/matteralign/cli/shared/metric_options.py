"""The options that name metrics: ``--metric cknna --definition text --k 5 --metric dcor``.

Options after a metric belong to it. Since click forgets the order of options, each metric and
what follows it is folded into one word, ``cknna:text:k=5``, which may also be written so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError
from typer.core import TyperCommand

from matteralign.config.metrics import Metrics
from matteralign.core.errors import UserError
from matteralign.core.scaling import SCALINGS
from matteralign.core.suggest import require_known
from matteralign.metrics.base.registry import METRICS

MetricOption = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        help="Metric, followed by its own --definition and --k; may be repeated. "
        "Short form: cknna:text:k=25.",
    ),
]
NormalizeOption = Annotated[
    str | None,
    typer.Option(
        help=f"Scaling of every array: {', '.join(SCALINGS)}. [default: what the definition's "
        "source does, else max]"
    ),
]
MemoryOption = Annotated[
    float, typer.Option(min=0.001, max=1e6, help="Limit of the working memory, in GiB.")
]
DeviceOption = Annotated[
    str, typer.Option(help="Device for the matrix products: cpu, cuda, cuda:N, torch or auto.")
]

_WITH_VALUE = ("--metric=", "--definition=", "--k=")


class MetricCommand(TyperCommand):
    """A command whose metric options are folded before they are parsed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Fold the options, then parse as usual."""
        parsed: list[str] = super().parse_args(ctx, fold(args))
        return parsed


def fold(arguments: Sequence[str]) -> list[str]:
    """Fold ``--definition D`` and ``--k K`` into the metric before them.

    >>> fold(["a.npy", "--metric", "cknna", "--definition", "text", "--k", "5", "--json"])
    ['a.npy', '--metric', 'cknna:text:k=5', '--json']
    """
    words = [part for word in arguments for part in _parts(word)]
    out: list[str] = []
    at: int | None = None
    position = 0
    while position < len(words):
        word = words[position]
        value = words[position + 1] if position + 1 < len(words) else None
        if word in ("--definition", "--k") and value is None:
            raise UserError(f"{word} needs a value")
        if word == "--metric" and value is not None:
            out += [word, value]
            at = len(out) - 1
            position += 2
        elif word in ("--definition", "--k"):
            if at is None:
                raise UserError(f"{word} belongs to a metric: write --metric NAME before it")
            out[at] += f":k={value}" if word == "--k" else f":{value}"
            position += 2
        else:
            out.append(word)
            position += 1
    return out


def _parts(word: str) -> list[str]:
    return word.split("=", 1) if word.startswith(_WITH_VALUE) else [word]


def metrics_of(
    chosen: Sequence[str] | None, kind: Literal["pair", "model"], normalize: str | None
) -> Metrics:
    """Return the section of a configuration that asks for the same.

    Raises
    ------
    UserError
        If a scaling is not known, or a metric is of the other kind or not written as it
        must be.
    """
    requests = [read_request(text) for text in chosen or ()]
    for name in (request["metric"] for request in requests):
        if name in METRICS and METRICS[name].kind != kind:
            other = "two arrays: use compare" if kind == "model" else "one array: use dimension"
            raise UserError(f"{name} is a metric of {other}")
    if not requests:
        requests = [r.model_dump(exclude_none=True) for r in getattr(Metrics(), kind)]
    if normalize is not None:
        require_known("scaling", normalize, SCALINGS)
        requests = [request | {"normalize": normalize} for request in requests]
    try:
        return Metrics.model_validate({kind: requests})
    except ValidationError as error:
        raise UserError(f"--metric: {error.errors()[0]['msg']}") from error


def read_request(text: str) -> dict[str, Any]:
    """Return ``metric``, ``definition`` (empty: any) and ``params`` of ``cknna:text:k=25``."""
    name, *rest = text.split(":")
    request: dict[str, Any] = {"metric": name, "definition": "", "params": {}}
    for part in rest:
        key, is_parameter, value = part.partition("=")
        if not is_parameter and request["definition"]:
            raise UserError(f"--metric {text}: two definitions, {request['definition']} and {part}")
        if not is_parameter:
            request["definition"] = part
        elif key == "k" and "k" in request["params"]:
            known = request["params"]["k"]
            request["params"]["k"] = [
                *(known if isinstance(known, list) else [known]),
                _plain(value),
            ]
        else:
            request["params"][key] = _plain(value)
    return request


def _plain(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
