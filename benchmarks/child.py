"""Every measurement in a process of its own: clean environment, own threads, own memory."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.foreign.meter import peak_rss

ROOT = Path(__file__).resolve().parents[1]
_FORCED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_L2SIZE")
# Compiling packages is no part of what a command costs: its first call writes their bytecode.
_DROPPED = (*_FORCED, "PYTHONDONTWRITEBYTECODE")
_THREADS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


class ChildError(RuntimeError):
    """A measuring process ended with an error; the message ends with its last lines."""


def environment(threads: int) -> dict[str, str]:
    """Return this environment with `threads` for every library and no forced BLAS kernel."""
    kept = {k: v for k, v in os.environ.items() if k not in _DROPPED}
    paths = [str(ROOT), str(ROOT / "src"), kept.get("PYTHONPATH", "")]
    kept["PYTHONPATH"] = os.pathsep.join(p for p in paths if p)
    return kept | dict.fromkeys(_THREADS, str(threads))


def run(task: str, arguments: dict[str, Any], *, threads: int) -> dict[str, Any]:
    """Run ``module:function`` of this package in a new process and return its result.

    The result is a dict of JSON values, with ``peak_rss`` (bytes) added.
    """
    command = [sys.executable, "-m", "benchmarks.child", task]
    return _run(command, arguments, environment(threads))


def run_foreign(
    python: Path | str, script: str, arguments: dict[str, Any], *, threads: int
) -> dict[str, Any]:
    """Run a script of ``benchmarks/foreign`` with another interpreter; result as `run`."""
    variables = environment(threads)
    del variables["PYTHONPATH"]
    path = Path(__file__).with_name("foreign") / script
    return _run([str(python), "-W", "ignore", str(path)], arguments, variables)


def _run(
    command: Sequence[str], arguments: dict[str, Any], variables: dict[str, str]
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        given, result = Path(folder, "in.json"), Path(folder, "out.json")
        given.write_text(json.dumps(arguments))
        done = subprocess.run(
            [*command, given, result],
            env=variables,
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            tail = "\n".join(done.stderr.strip().splitlines()[-6:])
            raise ChildError(f"{' '.join(map(str, command[-2:]))} ended {done.returncode}: {tail}")
        found: dict[str, Any] = json.loads(result.read_text())
        return found


def call(task: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Run ``module:function`` of this package in this process; result as `run`."""
    module, function = task.split(":")
    found = getattr(importlib.import_module(f"benchmarks.{module}"), function)(**arguments)
    return found | {"peak_rss": peak_rss()}


def main() -> None:
    """Serve one request: ``python -m benchmarks.child module:function in.json out.json``."""
    task, given, result = sys.argv[1:]
    Path(result).write_text(json.dumps(call(task, json.loads(Path(given).read_text()))))


if __name__ == "__main__":
    main()
