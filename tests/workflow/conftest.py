"""Real runs of the workflow in folders of their own, on a few real molecules."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.serving import server

__all__ = ["server"]
DATA = Path(__file__).parent / "data"
PROGRAM = Path(sys.executable).with_name("matteralign")


@dataclass
class Run:
    """A folder with a configuration, where the workflow of the checkout is run."""

    folder: Path
    project: Path

    @property
    def results(self) -> Path:
        """Where the results lie."""
        return self.folder / "results"

    def config(self) -> Any:
        """Return the configuration."""
        return yaml.safe_load((self.folder / "config.yaml").read_text())

    def configure(self, raw: Any) -> None:
        """Write the configuration."""
        (self.folder / "config.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))

    def card(self, path: Path, **changes: Any) -> None:
        """Put a card into the folder ``cards``; `changes` replace its fields."""
        raw = yaml.safe_load(path.read_text()) | changes
        folder = self.folder / "cards"
        folder.mkdir(exist_ok=True)
        (folder / f"{raw['key']}.yaml").write_text(yaml.safe_dump(raw))

    def command(self, slice_name: str, *more: str) -> list[str]:
        """Return the user's command for one slice."""
        return [
            str(PROGRAM), "run", slice_name, "--cores", "2", "--config", "config.yaml",
            "--snakefile", str(self.project / "Snakefile"), *more,
        ]  # fmt: skip

    def run(self, slice_name: str, *more: str, limit: float = 1500) -> str:
        """Run one slice to its end within `limit` seconds and return what was printed."""
        return self.call(*self.command(slice_name, *more), limit=limit)

    def call(self, *command: str, limit: float = 1500) -> str:
        """Run a command in the folder; fail the test when it fails."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=limit,
        )
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    def workflow(self, *arguments: str) -> list[str]:
        """Return the command of Snakemake itself."""
        return [
            sys.executable, "-m", "snakemake", "--snakefile", str(self.project / "Snakefile"),
            "--configfile", "config.yaml", "--cores", "2", "--nolock", "--rerun-incomplete",
            *arguments,
        ]  # fmt: skip

    def snakemake(self, *arguments: str) -> str:
        """Run Snakemake itself, for a target between a slice's first and last."""
        return self.call(*self.workflow(*arguments))

    def planned(self, target: str, *more: str) -> dict[str, int]:
        """Return how many jobs of each rule a dry run lists."""
        text = self.snakemake(target, "--dry-run", *more)
        if "Nothing to be done" in text:
            return {}
        table = text.split("Job stats:", 1)[1].split("total", 1)[0]
        return {name: int(n) for name, n in re.findall(r"^(\S+) +(\d+)$", table, re.MULTILINE)}

    def planned_outputs(self, target: str) -> set[str]:
        """Return the outputs that a dry run lists, relative to the results."""
        text = self.snakemake(target, "--dry-run")
        lines = re.findall(r"^ +output: (.+)$", text, re.MULTILINE)
        names = [
            name.strip().removesuffix(" (update)") for line in lines for name in line.split(",")
        ]
        return {name.removeprefix("results/") for name in names}

    def kill_when(self, target: str, ready: Callable[[], bool]) -> None:
        """Start the workflow and kill all its processes at once as soon as `ready`."""
        with open(self.folder / "killed.log", "w") as log:
            running = subprocess.Popen(
                self.workflow(target),
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                end = time.monotonic() + 900
                while not ready():
                    assert running.poll() is None, (self.folder / "killed.log").read_text()[-4000:]
                    assert time.monotonic() < end
                    time.sleep(0.005)
            finally:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()

    def stamps(self, below: str = "") -> dict[str, int]:
        """Return the modification time of every result file."""
        return {
            path.relative_to(self.results).as_posix(): path.stat().st_mtime_ns
            for path in sorted((self.results / below).rglob("*"))
            if path.is_file() and "_logs" not in path.parts and not path.name.startswith(".")
        }

    def hashes(self, slice_name: str) -> dict[str, str]:
        """Return the hash of every array, table and sidecar before the figures."""
        root = self.results / slice_name
        kept = ("structures.parquet", "scores.parquet", "latents", "predictions", "neighbors")
        return {
            path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*"))
            if path.is_file()
            and not path.name.startswith(".")
            and path.relative_to(root).parts[0] in kept
        }

    def copy(self, folder: Path) -> Run:
        """Copy everything, times and Snakemake's own records included."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True, copy_function=shutil.copy2)
        return Run(folder, self.project)


@pytest.fixture(scope="session", autouse=True)
def not_activated() -> Iterator[None]:
    """Hide the environment of the tests from the search path: a user need not activate it."""
    kept = [p for p in os.environ["PATH"].split(os.pathsep) if Path(p) != PROGRAM.parent]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.pathsep.join(kept))
        patch.delenv("VIRTUAL_ENV", raising=False)
        yield


@pytest.fixture(scope="session")
def make_run(project: Path, not_activated: None) -> Callable[[str, Path], Run]:
    """Make an empty run in a folder from a configuration of ``data``."""

    def make(name: str, folder: Path) -> Run:
        shutil.copy(DATA / f"{name}.yaml", folder / "config.yaml")
        return Run(folder, project)

    return make


@pytest.fixture
def new_run(tmp_path: Path, make_run: Callable[[str, Path], Run]) -> Callable[..., Run]:
    """Make an empty run in the test's own folder."""

    def make(name: str, folder: str = "run") -> Run:
        where = tmp_path / folder
        where.mkdir()
        return make_run(name, where)

    return make


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, make_run: Callable[[str, Path], Run]) -> Run:
    """Two slices, run to their end once for all tests that only look or copy."""
    made = make_run("two-slices", tmp_path_factory.mktemp("workflow"))
    for name in made.config()["slices"]:
        made.run(name)
    return made
