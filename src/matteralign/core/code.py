"""What Python code does, as one hash: comments, docstrings and layout left out."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from matteralign.core.hashing import sha256_bytes, sha256_json

# Of the tree: where a name is written to, notes of type checkers, what came with later Pythons.
_IGNORED = frozenset({"ctx", "kind", "type_comment", "type_ignores", "type_params"})


def code_digest(files: Iterable[Path], root: Path) -> str:
    """Return one hash over the code of some files; their paths below `root` enter it.

    It is the same on every supported Python, and does not change with comments, docstrings or
    formatting.
    """
    found = {}
    for path in files:
        if path.suffix == ".py":
            dumped = _dumped(_without_docstrings(_parsed(path)))
            found[path.relative_to(root).as_posix()] = sha256_bytes(dumped.encode())
        else:
            found[path.relative_to(root).as_posix()] = sha256_bytes(path.read_bytes())
    return sha256_json(found)


def imported_files(
    start: Iterable[Path], root: Path, package: str, leave_out: Collection[str] = ()
) -> list[Path]:
    """Return files and, of one package, all that they import, directly or through each other.

    Parameters
    ----------
    root
        The folder that `package` stands for.
    package
        Dotted name; imports of other packages are not followed.
    leave_out
        Paths below `root` that are not followed.
    """
    waiting, found = list(start), set[Path]()
    while waiting:
        path = waiting.pop()
        if path in found or path.relative_to(root).as_posix() in leave_out:
            continue
        found.add(path)
        for name in _imported(_parsed(path)):
            if name == package or name.startswith(f"{package}."):
                below = root.joinpath(*name.split(".")[package.count(".") + 1 :])
                candidates = (below.with_suffix(".py"), below / "__init__.py")
                waiting += [c for c in candidates if c.is_file() and c != root / "__init__.py"]
    return sorted(found)


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            # A name may be a module of the package.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body: Any = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [s for s in body if not _is_text(s)]  # type: ignore[attr-defined]
    return tree


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _dumped(node: Any) -> str:
    if isinstance(node, ast.AST):
        fields = [
            f"{name}={_dumped(value)}"
            for name, value in ast.iter_fields(node)
            if name not in _IGNORED and value is not None and value != []
        ]
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(map(_dumped, node))}]"
    return repr(node)
