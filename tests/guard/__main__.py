"""``python -m tests.guard FOLDER`` writes the tables, ``--keep`` their digests."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.guard.fixed_study import KEPT, digests, single_precision, tables, write

with tempfile.TemporaryDirectory() as scratch:
    found = tables(Path(scratch) / "results")
if sys.argv[1:] == ["--keep"]:
    KEPT.write_text(json.dumps(digests(found), indent=1) + "\n", encoding="utf-8")
else:
    write(Path(sys.argv[1]), {**found, "single-precision": single_precision()})
