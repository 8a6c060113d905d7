"""A job of the worker: read it, load the model, embed, check or build."""

from __future__ import annotations

import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from matteralign.core.errors import IntegrityError, UserError
from matteralign.core.files import read_json, write_json
from matteralign.core.hashing import sha256_json
from matteralign.models.base.catalogue import wrapper_version
from matteralign.models.base.torch_setup import prepare_environment
from matteralign.models.base.wrapper import Wrapper
from matteralign.models.extraction.extract import extract
from matteralign.models.running.check_jobs import CheckJob, run_checks
from matteralign.models.running.loading import build_and_load, load_wrapper
from matteralign.models.running.progress import ProgressLines
from matteralign.registry.card import ModelCard
from matteralign.store.known_rows import KnownRows, read_known_rows
from matteralign.store.latents import write_latent
from matteralign.store.predictions import write_predictions
from matteralign.store.structures import SampleSet, read_structures

_NEEDED = {
    "embed": ("structures", "latent", "predictions", "shards"),
    "architecture": ("folder", "result"),
    "measure": ("structures", "result"),
}


class KnownFiles(BaseModel):
    """Where the first rows of an embedding are known from.

    Attributes
    ----------
    latent, predictions
        Files of which the first `rows` rows are those of the job's structures.
    taken_from
        What the sidecar says of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    latent: Path
    predictions: Path
    rows: Annotated[int, Field(ge=1)]
    taken_from: dict[str, Any]


class Job(BaseModel):
    """The job file of `worker` for one model.

    Attributes
    ----------
    verb
        ``embed`` writes `latent` with its sidecar and `predictions`; ``architecture`` builds
        the card's untrained files below `folder` and writes their hashes to `result`;
        ``measure`` writes the loaded network's parameter count and width to `result`.
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
    known
        First rows that the model need not be run on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    verb: Literal["embed", "architecture", "measure"]
    card: ModelCard
    files: dict[str, Path] = {}
    structures: Path | None = None
    folder: Path | None = None
    latent: Path | None = None
    predictions: Path | None = None
    shards: Path | None = None
    identity: dict[str, Any] = {}
    known: KnownFiles | None = None
    device: str = "cpu"
    threads: Annotated[int, Field(ge=1)] = 1
    result: Path | None = None


def read_job(path: Path) -> Job | CheckJob:
    """Read a job file.

    Raises
    ------
    UserError
        If it is not a job, or lacks a path that its verb needs.
    """
    raw = read_json(path)
    try:
        if isinstance(raw, dict) and raw.get("verb") == "check":
            return CheckJob.model_validate(raw)
        job = Job.model_validate(raw)
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
        if isinstance(job, CheckJob):
            run_checks(job)
            return
        if job.verb == "architecture":
            assert job.folder is not None and job.result is not None
            wrapper, files = build_and_load(job.card, job.folder, job.threads)
            found = {"files": files, "parameters": wrapper.n_parameters()}
            write_json(job.result, {"model": job.card.key} | found)
            return
        assert job.structures is not None
        sample = read_structures(job.structures)
        _check_sample(job, sample)
        if job.verb == "measure":
            _measure(job, sample)
            return
        wrapper = load_wrapper(job.card, job.files, job.device, job.threads)
        _embed(job, wrapper, sample)


def _measure(job: Job, sample: SampleSet) -> None:
    """Write what a new card cannot know before the checkpoint was loaded."""
    assert job.result is not None
    wrapper = load_wrapper(job.card, job.files, job.device, job.threads, counted=False)
    taken = [s for s in sample.structures if wrapper.refuse(s) is None][:1]
    if not taken:
        raise UserError(f"card {job.card.key}: the model takes none of the example structures")
    found = {
        "parameters": wrapper.n_parameters(),
        "dim": wrapper.embed(taken).latents.shape[1],
    }
    write_json(job.result, found)


def _embed(job: Job, wrapper: Wrapper, sample: SampleSet) -> None:
    assert job.latent is not None and job.predictions is not None and job.shards is not None
    identity = _identity(job, wrapper, sample)
    known = _known(job, sample)
    result = extract(
        wrapper,
        sample.structures,
        shards=job.shards,
        identity=sha256_json(identity),
        known=known,
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
    taken = {} if job.known is None else {"taken_from": job.known.taken_from}
    write_latent(job.latent, result.latents, result.masked, identity | taken)
    shutil.rmtree(job.shards, ignore_errors=True)
    if result.masked:
        count = len(result.masked)
        print(f"{job.card.key}: {count} of {len(sample)} masked", file=sys.stderr, flush=True)


def _known(job: Job, sample: SampleSet) -> KnownRows | None:
    if job.known is None:
        return None
    ids = [structure.id for structure in sample.structures[: job.known.rows]]
    return read_known_rows(
        job.known.latent, job.known.predictions, ids, energies=bool(job.card.predicts)
    )


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
        **({} if card.prompt is None else {"prompt": card.prompt.label()}),
    }
