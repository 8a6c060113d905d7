"""Pydantic's findings, retold one line per wrong field."""

from __future__ import annotations

import typing

from pydantic import BaseModel, ValidationError

from matteralign.core.suggest import nearest


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return one line per wrong field: where it is, what is wrong, the nearest known key.

    Parameters
    ----------
    error
        What validation raised.
    model
        The model that was validated; its field names are what a typo is compared with.
    """
    lines = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"]) or "top level"
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            key = str(item["loc"][-1])
            guess = nearest(key, _fields(model, set()))
            message = "unknown key" + (f": did you mean {guess!r}?" if guess else "")
        lines.append(f"{where}: {message}")
    return lines


def _fields(model: type[BaseModel], seen: set[type]) -> set[str]:
    seen.add(model)
    names = set(model.model_fields)
    for field in model.model_fields.values():
        for inner in _models_in(field.annotation):
            if inner not in seen:
                names |= _fields(inner, seen)
    return names


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in typing.get_args(annotation) for m in _models_in(part)]
