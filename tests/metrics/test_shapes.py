"""Types of public functions have the shapes of their arrays."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import matteralign.metrics

ROOT = Path(matteralign.metrics.__file__).parent
FILES = [p for p in sorted(ROOT.rglob("*.py")) if not p.name.endswith("_loops.py")]


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in FILES:
        yield path, ast.parse(path.read_text())


def names_of_arrays() -> set[str]:
    """Return the names that types of arrays have: numpy's, and the aliases of this package."""
    found = {"NDArray", "ArrayLike", "RowSource", "RealArray"}
    for _, tree in trees():
        for line in tree.body:
            if isinstance(line, ast.Assign) and ast.unparse(line.value).startswith("npt.NDArray["):
                found |= {target.id for target in line.targets if isinstance(target, ast.Name)}
    return found


def without_shape(annotation: ast.expr, arrays: set[str]) -> bool:
    """Whether an array stands in a type without a shape beside it."""
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Annotated":
        shape = annotation.slice.elts[1]  # type: ignore[attr-defined]
        return not (isinstance(shape, ast.Constant) and str(shape.value).split())
    name = getattr(annotation, "id", getattr(annotation, "attr", None))
    if name in arrays:
        return True
    parts = ast.iter_child_nodes(annotation)
    return any(without_shape(part, arrays) for part in parts if isinstance(part, ast.expr))


def public_functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path, tree in trees():
        for line in tree.body:
            if isinstance(line, ast.FunctionDef) and not line.name.startswith("_"):
                yield f"{path.relative_to(ROOT)}: {line.name}", line


def test_every_array_of_a_public_function_has_a_shape() -> None:
    arrays = names_of_arrays()
    bare = []
    for where, function in public_functions():
        arguments = function.args
        types = {
            a.arg: a.annotation
            for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        } | {"return": function.returns}
        bare += [
            f"{where}: {name}"
            for name, annotation in types.items()
            if annotation is not None and without_shape(annotation, arrays)
        ]
    assert bare == []


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("FloatArray", True),
        ("npt.NDArray[np.int64] | None", True),
        ("Sequence[FloatArray]", True),
        ("Annotated[FloatArray, '']", True),
        ("Annotated[FloatArray, 'n d'] | None", False),
        ("Mapping[str, Annotated[ArrayLike, 'n d']]", False),
        ("tuple[Annotated[FloatArray, 'n'], FloatArray]", True),
        ("Sequence[str]", False),
    ],
)
def test_arrays_without_a_shape_are_seen(text: str, bare: bool) -> None:
    annotation = ast.parse(text, mode="eval").body
    assert without_shape(annotation, {"NDArray", "FloatArray", "ArrayLike"}) is bare
