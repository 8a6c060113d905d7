"""A check job: many models of one environment, one after the other in one process."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
import traceback
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from matteralign.core.errors import MatterAlignError
from matteralign.core.files import write_json
from matteralign.models.base.torch_setup import release_memory
from matteralign.models.base.wrapper import Wrapper
from matteralign.models.contract.clauses import Check, bound, relative_deviation, yes
from matteralign.models.contract.contract import check_contract
from matteralign.models.running.loading import build_and_load, load_wrapper
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure, read_structures


class Task(BaseModel):
    """One model to check.

    Attributes
    ----------
    card
        The model's card.
    files
        Path of each checkpoint file by its name on the card.
    build
        Folder in which the card's untrained files are built first; they stay there. Left out,
        `files` are loaded.
    structures
        What the model is tried on.
    result
        Where the findings are written as JSON once the model is done.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    card: ModelCard
    files: dict[str, Path] = {}
    build: Path | None = None
    structures: Path
    result: Path


class CheckJob(BaseModel):
    """The job file of the verb ``check``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verb: Literal["check"]
    tasks: Annotated[list[Task], Field(min_length=1)]
    device: str = "cpu"
    threads: Annotated[int, Field(ge=1)] = 1


def run_checks(job: CheckJob) -> None:
    """Check every model; what goes wrong with one is its finding and does not stop the next."""
    for task in job.tasks:
        start = time.monotonic()
        print(f"{task.card.key}: checking", file=sys.stderr, flush=True)
        try:
            found = _check(task, job)
        except MatterAlignError as error:
            found = {"checks": [asdict(yes("loads and runs", False, str(error)))]}
        except Exception as error:  # noqa: BLE001 - any package may raise anything
            traceback.print_exc()
            detail = f"{type(error).__name__}: {error}"
            found = {"checks": [asdict(yes("loads and runs", False, detail))]}
        seconds = round(time.monotonic() - start, 1)
        write_json(task.result, {"model": task.card.key, "seconds": seconds} | found)
        release_memory()


def _check(task: Task, job: CheckJob) -> dict[str, Any]:
    structures = list(read_structures(task.structures).structures)
    if task.build is None:
        wrapper = load_wrapper(task.card, task.files, job.device, job.threads)
        return _findings(wrapper, check_contract(wrapper, structures))
    wrapper, files = build_and_load(task.card, task.build, job.threads)
    checks = check_contract(wrapper, structures)
    checks.append(asdict(_built_again(task, wrapper, structures, job.threads)))
    return _findings(wrapper, checks) | {"files": files}


def _built_again(task: Task, wrapper: Wrapper, structures: list[Structure], threads: int) -> Check:
    """Build the network a second time: the same seed must give the same latents."""
    taken = [s for s in structures if wrapper.refuse(s) is None][:2]
    if not taken:
        return yes("same seed, same network", False, "no structure to try it on")
    assert task.build is not None
    folder = Path(tempfile.mkdtemp(prefix="again-", dir=task.build.parent))
    try:
        again, _ = build_and_load(task.card, folder, threads)
        deviation = relative_deviation(wrapper.embed(taken).latents, again.embed(taken).latents)
    finally:
        shutil.rmtree(folder)
    return bound("same seed, same network", deviation, 0.0)


def _findings(wrapper: Wrapper, checks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "checks": checks,
        "weights": wrapper.card.checkpoint.weights,
        "parameters": wrapper.n_parameters(),
        "device": wrapper.device,
        "packages": {name: metadata.version(name) for name in sorted(wrapper.packages())},
    }
