"""Build a pinned environment once, in the cache, never in the user's own environments."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from filelock import FileLock

from matteralign.core.errors import MatterAlignError
from matteralign.core.files import write_json
from matteralign.core.paths import cache_root
from matteralign.registry.environments import Environment, this_python
from matteralign.sources.package import uv_binary

_MARK = "complete.json"


def interpreter(environment: Environment) -> Path:
    """Return the Python of an environment, whether or not it is built."""
    return _folder(environment) / "bin" / "python"


def ensure_environment(environment: Environment, report: Callable[[str], None] = print) -> Path:
    """Return the Python of an environment, building it first when needed.

    An environment counts as built when its mark is there; the mark is written last, after
    every module of ``smoke.txt`` was imported. A build that was interrupted starts again.

    Raises
    ------
    MatterAlignError
        If a package cannot be had or a module does not import; the message ends with the
        package client's own last lines.
    """
    folder = _folder(environment)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / _MARK).exists():
            _build(environment, folder, report)
    return interpreter(environment)


def _folder(environment: Environment) -> Path:
    python = _python(environment)
    return cache_root() / "envs" / environment.build_key(python)


def _python(environment: Environment) -> str:
    """Return the version of Python that an environment is built with.

    That of this process where every pin is built for it; else the newest on this machine of
    those that every pin is built for.
    """
    known = environment.pythons()
    if not known or this_python() in known:
        return this_python()
    return next((v for v in reversed(known) if _found(v)), known[-1])


@cache
def _found(version: str) -> bool:
    command = [uv_binary(), "python", "find", "--quiet", "--no-project", "--system", version]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _build(environment: Environment, folder: Path, report: Callable[[str], None]) -> None:
    if _adopt_former(environment, folder, report):
        return
    report(f"building environment {environment.name!r} in {folder}")
    shutil.rmtree(folder, ignore_errors=True)
    uv, version = uv_binary(), _python(environment)
    own = version == this_python()
    create = [uv, "venv", "--quiet", "--no-project", "--python", sys.executable if own else version]
    if not own and not _found(version):
        _require_python(environment, [*create, str(folder)])
    else:
        _run([*create, str(folder)], environment, {})
    install = [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python")]
    install += ["--requirements", str(environment.requirements)]
    if environment.overrides:
        install += ["--overrides", str(environment.overrides)]
    _run(install, environment, find_links())
    report(f"checking that environment {environment.name!r} imports")
    _check_imports(environment, folder)
    write_json(folder / _MARK, {"name": environment.name, "lock_sha256": environment.lock_digest()})


def _check_imports(environment: Environment, folder: Path) -> None:
    imports = "\n".join(f"import {module}" for module in environment.smoke_modules())
    python = str(folder / "bin" / "python")
    _run([python, "-W", "ignore", "-c", imports], environment, {})


def _require_python(environment: Environment, create: list[str]) -> None:
    """Let the package client bring a Python, or say which ones serve.

    Raises
    ------
    MatterAlignError
        If it cannot.
    """
    try:
        _run(create, environment, {})
    except MatterAlignError as error:
        raise MatterAlignError(
            f"environment {environment.name!r} needs Python {' or '.join(environment.pythons())}: "
            f"its pins are not built for {this_python()}, which runs here, and none of those was "
            "found. Install one, for instance with `uv python install`, and run again; it is found "
            "on the search path"
        ) from error


def _adopt_former(environment: Environment, folder: Path, report: Callable[[str], None]) -> bool:
    """Take over an environment that was built before its key knew the processor.

    It may be another processor's, so every module must import here.
    """
    former = folder.parent / environment.former_key()
    if folder.is_symlink():  # to one that was removed
        folder.unlink()
    if _python(environment) != this_python() or not (former / _MARK).exists():
        return False
    try:
        _check_imports(environment, former)
    except (MatterAlignError, OSError):
        return False
    shutil.rmtree(folder, ignore_errors=True)
    folder.symlink_to(former.name, target_is_directory=True)
    report(f"environment {environment.name!r}: the one in {former} serves on")
    return True


def find_links() -> dict[str, str]:
    """Return the variable that shows uv the local wheel folders that pip was given."""
    given = os.environ.get("PIP_FIND_LINKS")
    if given and "UV_FIND_LINKS" not in os.environ:
        return {"UV_FIND_LINKS": ",".join(given.split())}
    return {}


def _run(command: list[str], environment: Environment, extra: Mapping[str, str]) -> None:
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, env=variables | dict(extra), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        tail = "\n  ".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        raise MatterAlignError(
            f"environment {environment.name!r} could not be built from "
            f"{environment.requirements}:\n  {tail}"
        )
