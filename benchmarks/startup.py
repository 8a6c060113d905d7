"""CPU seconds of the command line before the work of a verb begins."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import child
from benchmarks.report import met, number, table
from benchmarks.settings import Settings

HELP_BAR, VERB_BAR = 0.4, 1.5
PACKAGES = ("typer", "rich", "pydantic", "pyyaml", "pyarrow", "pandas")

# In an empty folder each job ends where its work would begin: what that needs is not there.
JOBS = (
    "fetch --dataset qm9 --out qm9.json",
    "fetch --model random --out random.json",
    "sample qm9-demo",
    "embed qm9-demo random",
    "summarize qm9-demo random",
    "score qm9-demo",
    "tables qm9-demo",
    "figures qm9-demo",
    "report qm9-demo",
    "environment none",
)
COMMANDS = (
    ("--help", HELP_BAR),
    ("modles", HELP_BAR),
    ("panel qm9-demo", VERB_BAR),
    *((job, VERB_BAR) for job in JOBS),
)


def cpu_seconds(command: Sequence[str], folder: Path, repeats: int) -> float:
    """Return the least CPU time of a command, user and system, over some calls.

    One call before them is not counted: it writes the bytecode of what is imported.
    """
    variables = child.environment(1) | {
        "MATTERALIGN_CACHE": str(folder / "cache"),
        "MATTERALIGN_CONFIG": str(child.ROOT / "config.yaml"),
        "MATTERALIGN_OFFLINE": "1",
    }
    found = []
    for _ in range(repeats + 1):
        before = os.times()
        subprocess.run(command, cwd=folder, env=variables, capture_output=True, check=False)
        after = os.times()
        user = after.children_user - before.children_user
        found.append(user + after.children_system - before.children_system)
    return min(found[1:])


def measure(settings: Settings) -> dict[str, Any]:
    """Return the CPU seconds of every command, and of ``import pandas`` beside them."""
    code = "import sys; sys.argv[0] = 'matteralign'; from matteralign.cli.app import main; main()"
    program = [sys.executable, "-c", code]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pandas = cpu_seconds([sys.executable, "-c", "import pandas"], folder, settings.repeats)
        seconds = {
            words: cpu_seconds([*program, *words.split()], folder, settings.repeats)
            for words, _ in COMMANDS
        }
    return {
        "pandas": pandas,
        "seconds": seconds,
        "repeats": settings.repeats,
        "packages": {package: version(package) for package in PACKAGES},
    }


def section(found: dict[str, Any]) -> str:
    """Return the part of the page."""
    pandas, bars = found["pandas"], dict(COMMANDS)
    rows = [
        (
            f"`matteralign {words}`",
            number(seconds),
            number(seconds / pandas),
            met(seconds < bars[words]),
        )
        for words, seconds in found["seconds"].items()
        if words in bars
    ]
    versions = ", ".join(f"{name} {number}" for name, number in found["packages"].items())
    return "\n\n".join(
        [
            "CPU seconds of the whole process, the least of "
            f"{found['repeats']} calls, after one that writes the bytecode of its imports, in a "
            "folder without results and without a network: a job ends where its work would begin. "
            f'Beside it, from the same run: `python -c "import pandas"`, {number(pandas)} s. '
            f"Versions: {versions}.",
            f"The bars: {HELP_BAR} s for the help and a mistyped verb, {VERB_BAR} s for a job's "
            "own overhead.",
            table(("command", "CPU-s", "of `import pandas`", "bar"), rows),
        ]
    )
