"""What every measuring process shares. Standard library only: foreign interpreters import it."""

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def timed(function: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Return the function's value and its CPU (all threads) and wall seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = function()
    return value, {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def peak_rss() -> int | None:
    """Return the largest resident set of this process in bytes, None off Linux."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    found = re.search(r"VmHWM:\s+(\d+)", status.read_text())
    return 1024 * int(found[1]) if found else None


def serve(task: Callable[..., dict[str, Any]]) -> None:
    """Read the arguments from the first file named, run, write the result to the second."""
    arguments = json.loads(Path(sys.argv[1]).read_text())
    result = task(**arguments)
    Path(sys.argv[2]).write_text(json.dumps(result | {"peak_rss": peak_rss()}))
