"""Build a pinned environment once, in the cache, never in the user's own environments."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from filelock import FileLock

from matteralign.core.errors import MatterAlignError
from matteralign.core.files import write_json
from matteralign.core.paths import cache_root
from matteralign.registry.environments import Environment
from matteralign.sources.package import uv_binary

_MARK = "complete.json"


def interpreter(environment: Environment) -> Path:
    """Return the Python of an environment, whether or not it is built."""
    return _folder(environment) / "bin" / "python"


def ensure_environment(environment: Environment, report: Callable[[str], None] = print) -> Path:
    """Return the Python of an environment, building it first when needed.

    An environment counts as built when its mark is there; the mark is written last, after
    every module of ``smoke.txt`` was imported. A build that was cut off starts anew.

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
    return cache_root() / "envs" / environment.build_key()


def _build(environment: Environment, folder: Path, report: Callable[[str], None]) -> None:
    report(f"building environment {environment.name!r} in {folder}")
    shutil.rmtree(folder, ignore_errors=True)
    uv = uv_binary()
    _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], environment, {})
    install = [uv, "pip", "install", "--quiet", "--python", str(interpreter(environment))]
    install += ["--requirements", str(environment.requirements)]
    if environment.overrides:
        install += ["--overrides", str(environment.overrides)]
    _run(install, environment, find_links())
    report(f"checking that environment {environment.name!r} imports")
    imports = "\n".join(f"import {module}" for module in environment.smoke_modules())
    _run([str(interpreter(environment)), "-W", "ignore", "-c", imports], environment, {})
    write_json(folder / _MARK, {"name": environment.name, "lock_sha256": environment.lock_digest()})


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
