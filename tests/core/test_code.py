"""A hash of code changes with what the code does, and with nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from matteralign.core.code import code_digest, imported_files

PLAIN = '''"""A module."""

import toy.inner


def double(x):
    """Return twice x."""
    return 2 * x
'''


def digest(folder: Path, text: str) -> str:
    (folder / "a.py").write_text(text)
    return code_digest([folder / "a.py"], folder)


@pytest.mark.parametrize(
    "change",
    [
        ("A module.", "Another sentence."),
        ("    return 2", "    # why\n    return 2"),
        ("2 * x", "(2 * x)"),
        ('    """Return twice x."""\n', ""),
        ("def double(x):", "def double(\n    x,\n):"),
    ],
)
def test_comments_docstrings_and_layout_do_not_count(
    tmp_path: Path, change: tuple[str, str]
) -> None:
    assert change[0] in PLAIN
    assert digest(tmp_path, PLAIN) == digest(tmp_path, PLAIN.replace(*change))


@pytest.mark.parametrize(
    "change", [("2 * x", "3 * x"), ("2 * x", "x * 2"), ("(x)", "(x, y=0)"), ("2 *", "2.0 *")]
)
def test_anything_else_counts(tmp_path: Path, change: tuple[str, str]) -> None:
    assert digest(tmp_path, PLAIN) != digest(tmp_path, PLAIN.replace(*change))


def test_imports_are_followed_through_the_package_and_no_further(tmp_path: Path) -> None:
    files = {
        "__init__.py": "import toy.never",
        "a.py": "import os\nfrom toy import inner\nfrom toy.names import NAME",
        "inner.py": "def late():\n    from toy.sub.deep import f",
        "names.py": "from toy.a import x",
        "never.py": "",
        "sub/__init__.py": "",
        "sub/deep.py": "import toy.left",
        "left.py": "import toy.never",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = imported_files([tmp_path / "a.py"], tmp_path, "toy", ("left.py",))
    names = {path.relative_to(tmp_path).as_posix() for path in found}
    assert names == {"a.py", "inner.py", "names.py", "sub/deep.py"}
