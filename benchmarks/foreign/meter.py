"""What every measuring process shares. Standard library only: foreign interpreters import it."""

import json
import re
import sys
import time
from pathlib import Path


def timed(function):
    """Return the function's value and its CPU (all threads) and wall seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = function()
    return value, {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def peak_rss():
    """Return the largest resident set of this process in bytes, None off Linux."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1])


def serve(task):
    """Read the arguments from the first file named, run, write the result to the second."""
    arguments = json.loads(Path(sys.argv[1]).read_text())
    result = task(**arguments)
    Path(sys.argv[2]).write_text(json.dumps(result | {"peak_rss": peak_rss()}))
