"""On what was measured: processor, BLAS kernel, threads, versions, load."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    text = info.read_text()
    found = re.search(r"model name\s*:\s*(.+)", text)
    family = re.search(r"cpu family\s*:\s*(\d+)", text)
    number = re.search(r"^model\s*:\s*(\d+)", text, re.MULTILINE)
    parts = [found[1] if found else platform.machine()]
    if family and number:
        parts.append(f"family {family[1]} model {number[1]}")
    parts += [flag for flag in ("avx2", "avx512f") if re.search(rf"\b{flag}\b", text)]
    return ", ".join(parts)


def describe() -> dict[str, Any]:
    """Return the facts of the process that asks: its BLAS is the one being measured."""
    import numpy as np
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    blas = sorted(
        {
            f"{pool['internal_api']} {pool['version']}, kernel {pool.get('architecture')}, "
            f"{pool['num_threads']} thread(s)"
            for pool in threadpool_info()
            if pool["user_api"] == "blas"
        }
    )
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "blas": blas,
        "blas_kernel_forced": os.environ.get("OPENBLAS_CORETYPE", "no"),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("numpy", "scipy", "numba")},
        "load": [round(x, 2) for x in os.getloadavg()],
        "platform": f"{platform.system()} {platform.release()}, {sys.platform}",
    }


def lines(facts: dict[str, Any]) -> list[str]:
    """Return the facts as Markdown items."""
    versions = ", ".join(f"{k} {v}" for k, v in facts["packages"].items())
    return [
        f"* processor: {facts['processor']}; {facts['cores']} core(s)",
        f"* BLAS: {'; '.join(facts['blas'])}; OPENBLAS_CORETYPE set: "
        f"{facts['blas_kernel_forced']} (unset for every measured process)",
        f"* Python {facts['python']}, {versions}",
        f"* load average when the run began: {', '.join(map(str, facts['load']))}",
    ]
