"""Run a model's work in the environment of its family."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.core.files import write_json
from matteralign.registry.card import ModelCard
from matteralign.registry.environments import get_environment
from matteralign.stages.runtime.environments import ensure_environment

_WORKER = Path(__file__).resolve().parents[2] / "models" / "worker.py"
# These would let another project's packages or settings leak into a pinned environment.
# Without bytecode in this environment, which is ours, each worker would compile torch anew.
_DROPPED = (
    "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSTARTUP", "PYTHONDONTWRITEBYTECODE",
)  # fmt: skip


def run_worker(
    verb: str,
    card: ModelCard,
    *,
    files: Mapping[str, Path],
    threads: int,
    device: str,
    report: Callable[[str], None],
    **job: Any,
) -> None:
    """Run one verb of the worker for one model, in its environment, and wait.

    The environment is built when it is missing. The worker's progress goes straight to this
    process's stderr.

    Parameters
    ----------
    verb
        ``embed``, ``architecture`` or ``measure``.
    files
        Path of each checkpoint file by its name on the card.
    threads
        Threads the model may use.
    device
        ``cpu``, ``cuda`` or ``auto``.
    job
        Further entries of the job; paths are passed as they are.

    Raises
    ------
    UserError, MatterAlignError
        If the worker refused its input, could not write or failed; it has said why on stderr.
    """
    description = {
        "verb": verb,
        "card": card.model_dump(mode="json"),
        "files": {name: str(path) for name, path in files.items()},
        "threads": threads,
        "device": device,
    } | {k: str(v) if isinstance(v, Path) else v for k, v in job.items()}
    with started(card.environment, description, threads, report) as process:
        code = process.wait()
    if code == UserError.exit_code:
        raise UserError(f"{card.key}: {verb} cannot go on (see above)")
    if code != 0:
        raise MatterAlignError(f"{card.key}: {verb} failed with exit code {code} (see above)")


@contextmanager
def started(
    environment: str, job: Mapping[str, Any], threads: int, report: Callable[[str], None]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the worker on a job in a named environment, which is built when it is missing.

    A worker that still runs when the block ends is stopped.

    Parameters
    ----------
    job
        The job as plain values of JSON.
    """
    python = ensure_environment(get_environment(environment), report)
    variables = {k: v for k, v in os.environ.items() if k not in _DROPPED}
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        variables[name] = str(threads)
    variables["PYTHONNOUSERSITE"] = "1"
    with tempfile.TemporaryDirectory(prefix="matteralign-") as folder:
        path = Path(folder) / "job.json"
        write_json(path, job)
        process = subprocess.Popen(
            [str(python), str(_WORKER), str(path)], env=variables, stdout=sys.stderr
        )
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
