"""Pinned environments: which packages a family of models runs with."""

from __future__ import annotations

import platform
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from matteralign.core.hashing import sha256_json
from matteralign.core.suggest import require_known

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Environment:
    """One folder below ``envs/``.

    Attributes
    ----------
    name
        Name of the folder, the `environment` of a card.
    folder
        Holds ``requirements.txt`` (every package pinned), ``overrides.txt`` (pins that
        contradict a package's own metadata, with the reason), ``smoke.txt`` (modules that
        must import, one per line) and ``python.txt`` (the Pythons that every pin is built for).
    """

    name: str
    folder: Path

    @property
    def requirements(self) -> Path:
        """The pinned packages."""
        return self.folder / "requirements.txt"

    @property
    def overrides(self) -> Path | None:
        """Pins that win over package metadata, or None."""
        path = self.folder / "overrides.txt"
        return path if path.exists() else None

    def smoke_modules(self) -> list[str]:
        """Return the modules that must import before the environment counts as built."""
        return _lines(self.folder / "smoke.txt")

    def pythons(self) -> list[str]:
        """Return the Pythons that every pin is built for, such as 3.12, oldest first; none: any."""
        path = self.folder / "python.txt"
        return _lines(path) if path.exists() else []

    def lock_digest(self) -> str:
        """Return the hash of the pins, comments apart: the identity of the environment."""
        pins = {"requirements": _pins(self.requirements)}
        if self.overrides:
            pins["overrides"] = _pins(self.overrides)
        return sha256_json(pins)

    def build_key(self, python: str | None = None) -> str:
        """Return a folder name that differs whenever a built environment may differ.

        Parameters
        ----------
        python
            Version it is built with, such as 3.12; None: that of this process.
        """
        own = python in (None, this_python())
        parts = {
            "lock": self.lock_digest(),
            "python": sysconfig.get_config_var("SOABI") if own else python,
            "platform": sysconfig.get_platform(),
            # One folder may serve machines with other processors.
            "machine": platform.machine(),
        }
        return f"{self.name}-{sha256_json(parts)[:12]}"

    def former_key(self) -> str:
        """Return the folder name of before it knew the processor."""
        digest = sha256_json([self.lock_digest(), this_python(), sys.platform])
        return f"{self.name}-{digest[:12]}"


def this_python() -> str:
    """Return the version of the running Python, such as 3.12."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def environments_folder() -> Path:
    """Return ``envs/``: inside an installed package, else at the top of the checkout."""
    inside = _PACKAGE / "envs"
    return inside if inside.is_dir() else _PACKAGE.parents[1] / "envs"


def get_environment(name: str) -> Environment:
    """Return one environment.

    Raises
    ------
    UserError
        If there is no folder of that name; the message offers the nearest.
    """
    root = environments_folder()
    names = sorted(p.parent.name for p in root.glob("*/smoke.txt"))
    require_known("environment", name, names)
    return Environment(name, root / name)


def _lines(path: Path) -> list[str]:
    """Return the lines of a file without remarks."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for raw in lines if (line := raw.split("#")[0].strip())]


def _pins(path: Path) -> list[str]:
    lines = (raw.split(" #")[0].strip() for raw in path.read_text(encoding="utf-8").splitlines())
    return sorted(line for line in lines if line and not line.startswith("#"))
