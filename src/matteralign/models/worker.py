"""Run a job of models in their environment: ``python worker.py JOB.json``.

The environment has the model's packages but not this one, so the first lines make the
package importable from the folder of this file, and nothing else.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]


def _register() -> None:
    # Run as a script, this folder heads sys.path and its modules could hide others of
    # the same name.
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [p for p in sys.path if p != here]
    spec = importlib.util.spec_from_file_location(
        "matteralign", _ROOT / "__init__.py", submodule_search_locations=[str(_ROOT)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load the package from {_ROOT}")
    package = importlib.util.module_from_spec(spec)
    sys.modules["matteralign"] = package
    spec.loader.exec_module(package)


if "matteralign" not in sys.modules:
    _register()

from matteralign.core.errors import MatterAlignError  # noqa: E402
from matteralign.models.running.jobs import run_job  # noqa: E402


def main(arguments: list[str]) -> int:
    """Run the job file and return the exit code: 0, 130, or 1 or 2 with one line on stderr."""
    if len(arguments) != 1:
        print("error: usage: worker.py JOB.json", file=sys.stderr)
        return 2
    try:
        run_job(Path(arguments[0]))
    except MatterAlignError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    code: Any = main(sys.argv[1:])
    sys.exit(code)
