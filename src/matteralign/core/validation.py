"""Pydantic's findings, retold one line per wrong field in the words of the file."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Tag, ValidationError

from matteralign.core.errors import UserError
from matteralign.core.patterns import IN_WORDS
from matteralign.core.suggest import nearest, unknown

Model = TypeVar("Model", bound=BaseModel)

_Item = Mapping[str, Any]

_EXPECTED: Mapping[str, str] = {
    "dict_type": "a section of keys",
    "model_type": "a section of keys",
    "model_attributes_type": "a section of keys",
    "list_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
_BOUNDS: Mapping[str, str] = {
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
}


def validated(model: type[Model], raw: Any, where: object = None) -> Model:
    """Return a model made of plain values.

    Parameters
    ----------
    where
        The file they came from, which every line of a message names.

    Raises
    ------
    UserError
        One line for each field that is wrong.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        before = "" if where is None else f"{where}: "
        raise UserError("\n".join(before + line for line in explain(error, model))) from error


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return one line per wrong field: where it is, what is wrong, the nearest known key.

    Places are those of the file: ``slices.a.n``, ``metrics.pair[0].params``.

    Parameters
    ----------
    error
        What validation raised.
    model
        The model that was validated; the fields of a section are what a typo in it is compared
        with.
    """
    lines = []
    for item in error.errors(include_url=False):
        where, section = _place(item["loc"], model)
        lines.append(f"{where or 'top level'}: {_told(item, section)}")
    return list(dict.fromkeys(lines))


def _told(item: _Item, section: type[BaseModel] | None) -> str:
    kind, found, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return _unknown_key(str(item["loc"][-1]), section.model_fields if section else ())
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error" and isinstance(found, str):
        return unknown("value", found, _quoted(context["expected"]))
    if kind == "too_short":
        return f"needs {context['min_length']} or more, found {context['actual_length']}"
    if kind == "union_tag_invalid":
        (name,) = _quoted(context["discriminator"])
        return unknown(name, context["tag"], _quoted(context["expected_tags"]))
    if kind == "union_tag_not_found":
        return f"needs the key {context['discriminator']}"
    if kind in _EXPECTED:
        text = f"must be {_EXPECTED[kind]}"
    elif kind == "string_pattern_mismatch":
        text = IN_WORDS.get(context["pattern"], f"must match {context['pattern']}")
    elif kind in _BOUNDS:
        text = _BOUNDS[kind].format(**context)
    else:
        text = item["msg"]
    # YAML reads some words as something else: No is false.
    unquoted = kind == "string_type" and isinstance(found, bool | int | float)
    return f"{text}, found {_shown(found)}" + ("; put it in quotes" if unquoted else "")


def _unknown_key(key: str, fields: Iterable[str]) -> str:
    guess, known = nearest(key, fields), ", ".join(sorted(fields))
    if guess is not None:
        return f"unknown key: did you mean {guess!r}?"
    return f"unknown key: known are {known}" if known else "unknown key"


def _quoted(text: str) -> list[str]:
    return re.findall("'([^']*)'", text)


def _shown(value: object) -> str:
    """Return a value as the file has it, shortened."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a section of keys"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _place(
    location: tuple[int | str, ...], model: type[BaseModel]
) -> tuple[str, type[BaseModel] | None]:
    """Return where a value stands in the file and the section that its last key stands in."""
    path = ""
    section: type[BaseModel] | None = None
    here: Any = model
    parts = list(location)
    while parts:
        here = _plain(here)
        members = _members(here)
        if members:
            here = members.get(str(parts.pop(0)))  # which alternative: not in the file
            continue
        part = parts.pop(0)
        if part == "[key]":  # the key before it is itself what is wrong
            continue
        position = isinstance(part, int) and typing.get_origin(here) is not dict
        path += f"[{part}]" if position else f".{part}" if path else str(part)
        section, here = _below(here, part)
    return path, section


def _below(here: Any, part: int | str) -> tuple[type[BaseModel] | None, Any]:
    """Return the section if one is here, and what a key or position of it holds."""
    if isinstance(here, type) and issubclass(here, BaseModel):
        field = here.model_fields.get(str(part))
        return here, None if field is None else field.annotation
    arguments = typing.get_args(here)
    return None, arguments[-1] if arguments else None


def _plain(annotation: Any) -> Any:
    """Return an annotation without its metadata and without None."""
    while typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if _is_union(annotation):
        others = [a for a in typing.get_args(annotation) if a is not types.NoneType]
        if len(others) == 1:
            return _plain(others[0])
    return annotation


def _members(annotation: Any) -> dict[str, Any]:
    """Return the alternatives of a union by what pydantic calls them; of others none."""
    if not _is_union(annotation):
        return {}
    named: dict[str, Any] = {}
    for member in typing.get_args(annotation):
        tags = [m.tag for m in getattr(member, "__metadata__", ()) if isinstance(m, Tag)]
        plain = _plain(member)
        if isinstance(plain, type) and issubclass(plain, BaseModel):
            tags += [plain.__name__]
            for field in plain.model_fields.values():
                if typing.get_origin(field.annotation) is Literal:
                    tags += [str(value) for value in typing.get_args(field.annotation)]
        named |= dict.fromkeys(tags, plain)
    return named or {"": None}


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)
