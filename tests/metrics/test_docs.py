"""The example of docs/metrics.md runs as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_example_runs(capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```$", (DOCS / "metrics.md").read_text(), re.M | re.S)
    exec(compile(code, "docs/metrics.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("x noise dcor[squared]") for line in lines) == 1
