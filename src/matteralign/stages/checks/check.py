"""Hold models to the contract: one process for all models of an environment."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matteralign.core.errors import MatterAlignError
from matteralign.core.files import read_json
from matteralign.core.paths import cache_root
from matteralign.datasets.examples import examples
from matteralign.models.contract.clauses import yes
from matteralign.registry.card import ModelCard
from matteralign.registry.stand_in import untrained_card
from matteralign.sources.cache import cached_path
from matteralign.stages.checks.check_records import Checked, check_identity
from matteralign.stages.runtime.launch import started
from matteralign.stages.runtime.stand_in import built_files, keep_built
from matteralign.stages.runtime.weights import fetch_weights, weights_state
from matteralign.store.structures import write_structures

Report = Callable[[str], None]


@dataclass(frozen=True)
class _Task:
    card: ModelCard
    weights: str
    built: Path | None
    result: Path
    job: Mapping[str, Any]


def check_models(
    cards: Sequence[ModelCard],
    *,
    done: Callable[[Checked], None],
    report: Report,
    threads: int = 1,
    processes: int = 1,
    device: str = "cpu",
    keep: bool = True,
) -> None:
    """Run the contract on models, each on its weights or else on its untrained network.

    Weights that are here or that a package registry serves are used; nothing is downloaded
    from elsewhere while the card says how an untrained network is built.

    Parameters
    ----------
    done
        Called with each model's findings as soon as they are there, by one thread at a time.
    report
        Receives lines of progress.
    threads
        Of each process.
    processes
        Environments worked on at once.
    keep
        Whether untrained networks that were built on the way enter the cache.
    """
    folder = cache_root() / "architectures"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="checking-") as scratch:
        run = _Run(Path(scratch), done, report, threads, device, keep)
        by_environment: dict[str, list[_Task]] = {}
        for card in cards:
            task = run.prepare(card)
            if task is not None:
                by_environment.setdefault(card.environment, []).append(task)
        # The longest first, so that two processes end at about the same time.
        queue = sorted(by_environment.items(), key=lambda item: -len(item[1]))
        with ThreadPoolExecutor(processes) as pool:
            try:
                for future in [pool.submit(run.environment, *item) for item in queue]:
                    future.result()
            finally:
                run.stop.set()


class _Run:
    def __init__(
        self,
        folder: Path,
        done: Callable[[Checked], None],
        report: Report,
        threads: int,
        device: str,
        keep: bool,
    ) -> None:
        self.folder, self.done, self.report = folder, done, report
        self.threads, self.device, self.keep = threads, device, keep
        self.stop = threading.Event()
        self._lock = threading.Lock()
        self._samples: dict[str, Path] = {}

    def prepare(self, card: ModelCard) -> _Task | None:
        """Return the worker's input for a model, or report why the model has no weights."""
        result = self.folder / f"{card.key}.json"
        job: dict[str, Any] = {"structures": str(self._sample(card)), "result": str(result)}
        try:
            found = _found(card, self.report)
        except MatterAlignError as error:
            self._finish(card, card.checkpoint.weights, 0.0, _failed("weights", str(error)))
            return None
        if found is None:
            built = self.folder / card.key
            built.mkdir()
            job |= {"card": card.model_dump(mode="json"), "build": str(built)}
            return _Task(card, "untrained", built, result, job)
        files = {f.name: str(cached_path(f)) for f in found.checkpoint.files}
        job |= {"card": found.model_dump(mode="json"), "files": files}
        return _Task(card, found.checkpoint.weights, None, result, job)

    def environment(self, name: str, tasks: Sequence[_Task]) -> None:
        """Check the models of one environment; a crash costs the model at work alone."""
        waiting = list(tasks)
        while waiting and not self.stop.is_set():
            job = {
                "verb": "check",
                "tasks": [task.job for task in waiting],
                "device": self.device,
                "threads": self.threads,
            }
            try:
                with started(name, job, self.threads, self.report) as process:
                    code = None
                    while code is None and not self.stop.is_set():
                        time.sleep(0.1)
                        code = process.poll()
                        waiting = self._collect(waiting)
            except MatterAlignError as error:  # the environment could not be built
                for task in waiting:
                    self._finish(task.card, task.weights, 0.0, _failed("environment", str(error)))
                return
            if waiting and code is not None:
                task, *waiting = waiting
                detail = f"the process ended with exit code {code} while it was checked"
                self._finish(task.card, task.weights, 0.0, _failed("loads and runs", detail))

    def _collect(self, waiting: Sequence[_Task]) -> list[_Task]:
        left = []
        for task in waiting:
            if not task.result.exists():
                left.append(task)
                continue
            found = read_json(task.result)
            if task.built is not None:
                self._built(task, task.built, found.pop("files", None))
            self._finish(task.card, found.pop("weights", task.weights), **_rest(found))
        return left

    def _built(self, task: _Task, folder: Path, files: Mapping[str, Any] | None) -> None:
        if files is not None and self.keep:
            keep_built(task.card, folder, files)
        shutil.rmtree(folder)

    def _finish(
        self,
        card: ModelCard,
        weights: str,
        seconds: float,
        checks: Sequence[Mapping[str, Any]],
        **loaded: Any,
    ) -> None:
        checked = Checked(
            model=card.key,
            identity=check_identity(card, weights),
            card_sha256=card.digest(),
            weights=weights,
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=seconds,
            checks=checks,
            **loaded,
        )
        with self._lock:
            self.done(checked)

    def _sample(self, card: ModelCard) -> Path:
        structures = examples(card)
        name = "-".join(s.id for s in structures)
        if name not in self._samples:
            path = self.folder / f"structures-{len(self._samples)}.parquet"
            write_structures(path, structures, slice_name="check", dataset="examples")
            self._samples[name] = path
        return self._samples[name]


def _found(card: ModelCard, report: Report) -> ModelCard | None:
    """Return the card with its files on this machine; None if they must be built."""
    checkpoint = card.checkpoint
    served = all(any(s.kind == "package" for s in f.sources) for f in checkpoint.files)
    trained = checkpoint.weights != "untrained"
    if trained and (served or weights_state(card) == "real" or checkpoint.stand_in is None):
        return fetch_weights(card, "trained", report)
    files = built_files(card)
    return None if files is None else untrained_card(card, files)


def _failed(check: str, detail: str) -> list[dict[str, Any]]:
    return [asdict(yes(check, False, detail))]


def _rest(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "model"}
