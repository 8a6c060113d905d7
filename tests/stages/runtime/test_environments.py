"""Environments built for real, from a wheel made by the test; no registry is asked."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from matteralign.core.errors import MatterAlignError
from matteralign.registry.environments import Environment, this_python
from matteralign.stages.runtime.environments import ensure_environment, find_links, interpreter

Make = Callable[..., Environment]


def write_wheel(folder: Path, version: str) -> None:
    info = f"toyfamily-{version}.dist-info"
    with zipfile.ZipFile(folder / f"toyfamily-{version}-py3-none-any.whl", "w") as bundle:
        bundle.writestr("toyfamily/__init__.py", f"__version__ = {version!r}\n")
        metadata = f"Metadata-Version: 2.1\nName: toyfamily\nVersion: {version}\n"
        bundle.writestr(f"{info}/METADATA", metadata)
        bundle.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        bundle.writestr(f"{info}/RECORD", "")


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for version in ("1.0", "2.0"):
        write_wheel(wheels, version)
    monkeypatch.setenv("MATTERALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))

    def environment(
        name: str = "toy", requirements: str = "toyfamily==1.0\n", smoke: str = "toyfamily\n"
    ) -> Environment:
        folder = tmp_path / "envs" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "requirements.txt").write_text(requirements)
        (folder / "smoke.txt").write_text(smoke)
        return Environment(name, folder)

    return environment


def version_in(python: Path) -> str:
    code = "import toyfamily; print(toyfamily.__version__)"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_an_environment_is_built_once_below_the_cache(make: Make, tmp_path: Path) -> None:
    environment, said = make(), []
    python = ensure_environment(environment, said.append)
    assert python == interpreter(environment)
    assert python.is_relative_to(tmp_path / "cache" / "envs")
    assert version_in(python) == "1.0"
    assert said
    assert all("'toy'" in line for line in said)
    mark = json.loads((python.parents[1] / "complete.json").read_text())
    assert mark == {"name": "toy", "lock_sha256": environment.lock_digest()}
    said.clear()
    assert ensure_environment(environment, said.append) == python
    assert said == []


def test_other_pins_give_another_environment(make: Make) -> None:
    first = ensure_environment(make(), lambda _: None)
    second = ensure_environment(make(requirements="toyfamily==2.0\n"), lambda _: None)
    assert first != second
    assert (version_in(first), version_in(second)) == ("1.0", "2.0")


def test_overrides_win(make: Make) -> None:
    environment = make()
    (environment.folder / "overrides.txt").write_text("toyfamily==2.0  # a reason\n")
    assert version_in(ensure_environment(environment, lambda _: None)) == "2.0"


def test_a_module_that_does_not_import_leaves_no_built_environment(make: Make) -> None:
    environment = make(smoke="toyfamily\ntoyfamily.nowhere\n")
    with pytest.raises(MatterAlignError, match=r"'toy' could not be built(.|\n)*nowhere"):
        ensure_environment(environment, lambda _: None)
    assert not (interpreter(environment).parents[1] / "complete.json").exists()
    (environment.folder / "smoke.txt").write_text("toyfamily\n")
    assert version_in(ensure_environment(environment, lambda _: None)) == "1.0"


def test_a_package_that_is_not_there_is_named(make: Make) -> None:
    environment = make(requirements="toyfamily==9.9\n")
    with pytest.raises(MatterAlignError) as caught:
        ensure_environment(environment, lambda _: None)
    assert str(environment.requirements) in str(caught.value)
    assert "toyfamily==9.9" in str(caught.value)


def test_a_build_that_was_cut_off_starts_anew(make: Make) -> None:
    environment = make()
    folder = interpreter(environment).parents[1]
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "half").write_text("half")
    assert version_in(ensure_environment(environment, lambda _: None)) == "1.0"
    assert not (folder / "lib" / "half").exists()


def test_nothing_of_the_users_own_environment_is_seen(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine" / "toyfamily").mkdir(parents=True)
    (tmp_path / "mine" / "toyfamily" / "__init__.py").write_text("raise SystemExit('leaked')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "mine"))
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "mine"))
    python = ensure_environment(make(), lambda _: None)
    monkeypatch.delenv("PYTHONPATH")
    assert version_in(python) == "1.0"
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["toyfamily"]


def test_the_folders_that_pip_was_given_are_shown_to_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_FIND_LINKS", "/a /b")
    assert find_links() == {"UV_FIND_LINKS": "/a,/b"}
    monkeypatch.setenv("UV_FIND_LINKS", "/c")
    assert find_links() == {}
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.delenv("PIP_FIND_LINKS")
    assert find_links() == {}


def test_an_environment_of_the_former_key_serves_where_it_imports(make: Make) -> None:
    environment, said = make(), []
    folder = interpreter(environment).parents[1]
    ensure_environment(environment, lambda _: None)
    former = folder.parent / environment.former_key()
    folder.rename(former)
    assert version_in(ensure_environment(environment, said.append)) == "1.0"
    assert folder.resolve() == former
    assert [line for line in said if "serves on" in line]
    shutil.rmtree(former)
    assert version_in(ensure_environment(environment, lambda _: None)) == "1.0"
    assert not folder.is_symlink()


def test_an_environment_of_another_processor_is_not_taken_over(make: Make) -> None:
    environment = make()
    folder = interpreter(environment).parents[1]
    ensure_environment(environment, lambda _: None)
    former = folder.parent / environment.former_key()
    folder.rename(former)
    # As compiled code of another processor: the module is there and does not import.
    (package,) = former.glob("lib/python*/site-packages/toyfamily")
    (package / "__init__.py").unlink()  # a link into the package client's cache
    (package / "__init__.py").write_text("raise ImportError('wrong ELF class')")
    assert version_in(ensure_environment(environment, lambda _: None)) == "1.0"
    assert not folder.is_symlink()


def test_a_python_that_pins_are_not_built_for_uses_one_that_they_are(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = make()
    here = this_python()
    (environment.folder / "python.txt").write_text(f"3.7  # long gone\n{here}\n")
    monkeypatch.setattr("matteralign.stages.runtime.environments.this_python", lambda: "3.99")
    python = ensure_environment(environment, lambda _: None)
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([str(python), "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == here


def test_where_no_python_serves_the_message_names_those_that_do(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = make()
    (environment.folder / "python.txt").write_text("3.6\n3.7\n")
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    with pytest.raises(MatterAlignError, match=r"'toy' needs Python 3\.6 or 3\.7: .*uv python"):
        ensure_environment(environment, lambda _: None)
