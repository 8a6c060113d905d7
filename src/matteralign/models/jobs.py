"""A model job: read it, verify the files, load the model, embed or check."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from matteralign.core.errors import IntegrityError, MatterAlignError, UserError
from matteralign.core.files import read_json, write_json
from matteralign.core.hashing import sha256_file, sha256_json
from matteralign.models.architectures import build_architecture
from matteralign.models.base import Wrapper
from matteralign.models.catalogue import wrapper_class, wrapper_version
from matteralign.models.contract import check_contract
from matteralign.models.extract import extract
from matteralign.models.progress import ProgressLines
from matteralign.models.torch_setup import (
    keep_freed_memory,
    make_repeatable,
    prepare_environment,
    resolve_device,
)
from matteralign.registry.card import ModelCard
from matteralign.registry.stand_in import untrained_card
from matteralign.store.latents import write_latent
from matteralign.store.predictions import write_predictions
from matteralign.store.structures import SampleSet, read_structures

_NEEDED = {
    "embed": ("structures", "latent", "predictions", "shards"),
    "check": ("structures", "result"),
    "architecture": ("folder", "result"),
}


class Job(BaseModel):
    """The job file of `worker`.

    Attributes
    ----------
    verb
        ``embed`` writes `latent` with its sidecar and `predictions`; ``check`` writes the
        contract report to `result`; ``architecture`` builds the card's untrained files below
        `folder` and writes their hashes to `result`.
    card
        The model's card.
    files
        Path of each checkpoint file by its name on the card.
    structures
        The slice's ``structures.parquet``.
    shards
        Folder for finished batches, removed at the end.
    identity
        Slice, dataset, sample set, environment: copied into the sidecar.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    verb: Literal["embed", "check", "architecture"]
    card: ModelCard
    files: dict[str, Path] = {}
    structures: Path | None = None
    folder: Path | None = None
    latent: Path | None = None
    predictions: Path | None = None
    shards: Path | None = None
    identity: dict[str, Any] = {}
    device: str = "cpu"
    threads: Annotated[int, Field(ge=1)] = 1
    result: Path | None = None


def read_job(path: Path) -> Job:
    """Read a job file.

    Raises
    ------
    UserError
        If it is not a job, or lacks a path that its verb needs.
    """
    try:
        job = Job.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: not a job file: {where}: {first['msg']}") from error
    for name in _NEEDED[job.verb]:
        if getattr(job, name) is None:
            raise UserError(f"{path}: a job with verb {job.verb!r} needs {name!r}")
    return job


def run_job(path: Path) -> None:
    """Run the job file at `path`.

    Raises
    ------
    UserError
        If the job or the card is not valid.
    IntegrityError
        If a checkpoint file or the structures are not what they must be.
    MatterAlignError
        If the loaded network is not the card's, or no structure could be embedded.
    """
    job = read_job(path)
    with tempfile.TemporaryDirectory(prefix="matteralign-") as scratch:
        prepare_environment(job.threads, Path(scratch))
        if job.verb == "architecture":
            assert job.folder is not None and job.result is not None
            wrapper, files = build_and_load(job.card, job.folder, job.threads)
            found = {"files": files, "parameters": wrapper.n_parameters()}
            write_json(job.result, {"model": job.card.key} | found)
            return
        assert job.structures is not None
        sample = read_structures(job.structures)
        _check_sample(job, sample)
        wrapper = load_wrapper(job.card, job.files, job.device, job.threads)
        if job.verb == "check":
            assert job.result is not None
            report = check_contract(wrapper, sample.structures)
            write_json(job.result, {"model": job.card.key, "checks": report})
        else:
            _embed(job, wrapper, sample)


def build_and_load(
    card: ModelCard, folder: Path, threads: int
) -> tuple[Wrapper, dict[str, dict[str, Any]]]:
    """Build a card's untrained files below `folder` and load them as the real ones are loaded.

    Returns
    -------
    wrapper
        The loaded untrained network.
    files
        ``sha256`` and ``size`` of each file by name.
    """
    print(f"{card.key}: building an untrained network", file=sys.stderr, flush=True)
    build_architecture(card, folder)
    paths = {f.name: folder / f.name for f in card.checkpoint.files}
    files = {n: {"sha256": sha256_file(p), "size": p.stat().st_size} for n, p in paths.items()}
    return load_wrapper(untrained_card(card, files), paths, "cpu", threads), files


def verify_files(card: ModelCard, files: dict[str, Path]) -> None:
    """Check every checkpoint file against the card before any of them is opened.

    Raises
    ------
    IntegrityError
        If a file is missing or its hash differs; the message names the file.
    """
    for pinned in card.checkpoint.files:
        path = files.get(pinned.name)
        if path is None or pinned.sha256 is None or not path.is_file():
            raise IntegrityError(
                f"{path or pinned.name}: checkpoint file of {card.key} is missing; fetch it"
            )
        digest = sha256_file(path)
        if digest != pinned.sha256:
            raise IntegrityError(
                f"{path}: bytes hash to {digest[:12]}…, the card of {card.key} pins "
                f"{pinned.sha256[:12]}…; not opened. Delete the file and fetch it again"
            )


def load_wrapper(
    card: ModelCard, files: dict[str, Path], device: str = "cpu", threads: int = 1
) -> Wrapper:
    """Verify the files, load the model and compare its parameter count with the card.

    Raises
    ------
    IntegrityError
        If a file is not the one the card pins.
    MatterAlignError
        If the network has another number of parameters than the card says.
    """
    verify_files(card, files)
    start = time.monotonic()
    print(f"{card.key}: loading", file=sys.stderr, flush=True)
    kind = wrapper_class(card.wrapper)
    if "torch" in sys.modules:
        device = resolve_device(device)
        make_repeatable(threads)
        keep_freed_memory()
    else:  # fingerprints and the baseline run on the CPU alone
        device = "cpu"
    names = {f.name for f in card.checkpoint.files}
    wrapper = kind(card, {name: path for name, path in files.items() if name in names}, device)
    found = wrapper.n_parameters()
    if found != card.parameters.measured:
        raise MatterAlignError(
            f"model {card.key}: the loaded network has {found:,} parameters, its card says "
            f"{card.parameters.measured:,}; correct the card or the checkpoint"
        )
    took = time.monotonic() - start
    print(f"{card.key}: loaded in {took:.1f} s", file=sys.stderr, flush=True)
    return wrapper


def _embed(job: Job, wrapper: Wrapper, sample: SampleSet) -> None:
    assert job.latent is not None and job.predictions is not None and job.shards is not None
    identity = _identity(job, wrapper, sample)
    result = extract(
        wrapper,
        sample.structures,
        shards=job.shards,
        identity=sha256_json(identity),
        progress=ProgressLines(job.card.key, len(sample)),
    )
    write_predictions(
        job.predictions,
        [s.id for s in sample.structures],
        None if result.energies is None else np.asarray(result.energies),
        {m.row: f"{m.code}: {m.reason}" for m in result.masked},
        {
            "model": job.card.key,
            "slice": sample.slice,
            "sample_set_id": sample.id,
            "card_sha256": job.card.digest(),
            "weights": job.card.checkpoint.weights,
        },
    )
    write_latent(job.latent, result.latents, result.masked, identity)
    shutil.rmtree(job.shards, ignore_errors=True)
    if result.masked:
        count = len(result.masked)
        print(f"{job.card.key}: {count} of {len(sample)} masked", file=sys.stderr, flush=True)


def _check_sample(job: Job, sample: SampleSet) -> None:
    expected = job.identity.get("sample_set_id", sample.id)
    if expected != sample.id:
        raise IntegrityError(
            f"{job.structures}: sample set {sample.id[:12]}…, the job is for "
            f"{str(expected)[:12]}…; sample this slice again"
        )


def _identity(job: Job, wrapper: Wrapper, sample: SampleSet) -> dict[str, Any]:
    card = job.card
    files = {f.name: f.sha256 for f in card.checkpoint.files}
    environment = dict(job.identity.get("environment", {"name": card.environment}))
    environment["packages"] = {n: metadata.version(n) for n in sorted(wrapper.packages())}
    return job.identity | {
        "model": card.key,
        "slice": sample.slice,
        "dataset": sample.dataset,
        "sample_set_id": sample.id,
        "card_sha256": card.digest(),
        "wrapper": card.wrapper,
        "wrapper_version": wrapper_version(card.wrapper),
        "checkpoint": {
            "weights": card.checkpoint.weights,
            "sha256": card.checkpoint.digest(),
            "filename": ", ".join(files) or None,
            "files": files,
            "parameters": wrapper.n_parameters(),
        },
        "latent": {"layer": card.latent.layer, "pooling": card.latent.pooling},
        "device": wrapper.device,
        "environment": environment,
        **({} if card.prompt is None else {"prompt": card.prompt.model_dump()}),
    }
