"""What a full or read-only disk refuses is told with the file and what to do."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import pytest

from matteralign.core.errors import UserError, WriteError
from matteralign.core.files import atomic_path, write_json, writing

# The system refuses every byte behind the first hundred of a file, as a full disk does.
LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
WRITERS = {
    "scores.parquet": """
import pyarrow as pa
from matteralign.store.tidy import write_rows
write_rows("scores.parquet", [{"x": float(i)} for i in range(999)],
           pa.schema([pa.field("x", pa.float64())]))
""",
    "structures.parquet": """
import numpy as np
from matteralign.store.structures import Structure, write_structures
one = Structure("a", np.array([1], np.uint8), np.zeros((1, 3)))
write_structures("structures.parquet", [one], slice_name="s", dataset="d")
""",
    "predictions.parquet": """
from matteralign.store.predictions import write_predictions
write_predictions("predictions.parquet", ["a"] * 999, None, {}, {})
""",
    "models.csv": """
import pandas as pd, pyarrow.parquet as pq
pq.write_table = lambda *a, **k: None
from matteralign.store.tidy import write_table
write_table(pd.DataFrame({"x": range(999)}), "models")
""",
    "a.npy": """
import numpy as np
from matteralign.store.latents import write_latent
write_latent("a.npy", np.zeros((99, 9), np.float32), [], {})
""",
    "a.npz": """
import numpy as np
from matteralign.store.neighbors import write_neighbors
write_neighbors("a.npz", {"x": np.zeros(999)}, {})
""",
    "ledger.jsonl": """
from matteralign.store.ledger import Ledger
with Ledger("ledger.jsonl") as ledger:
    ledger.add({"key": {"reason": "x" * 999}})
""",
}


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder, env=os.environ, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
def test_a_write_that_is_refused_halfway_names_its_file(tmp_path: Path, name: str) -> None:
    body = textwrap.indent(WRITERS[name], "    ")
    caught = "from matteralign.core.errors import WriteError\ntry:\n"
    code = LIMIT + caught + body + "except WriteError as error:\n    print(error)\n"
    done = run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{name}: cannot be written: ")
    assert "then run again" in done.stdout
    left = [p.name for p in tmp_path.iterdir() if p.suffix not in (".parquet", ".jsonl")]
    assert left == []


def test_the_command_line_says_it_in_one_line_and_exits_with_2(tmp_path: Path) -> None:
    code = "import sys; sys.argv = ['matteralign', 'schema', '--write']\n"
    done = run(LIMIT + code + "from matteralign.cli.app import main\nmain()", tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: workflow/schemas/")
    assert ".json: cannot be written: File too large" in line
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    ("code", "todo"),
    [
        (errno.ENOSPC, "free space on that disk"),
        (errno.EROFS, "make its folder writable, or choose another folder"),
        (errno.EACCES, "make its folder writable, or choose another folder"),
    ],
)
def test_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, todo: str
) -> None:
    def refuse(*_: Any, prefix: str, dir: Path, **__: Any) -> Any:
        raise OSError(code, os.strerror(code), str(dir / f"{prefix}1x.tmp.json"))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    path = tmp_path / "a.json"
    with pytest.raises(WriteError) as caught:
        write_json(path, {})
    assert str(caught.value).startswith(f"{path}: cannot be written: {os.strerror(code)}; {todo}")
    assert isinstance(caught.value, UserError)
    assert caught.value.exit_code == 2


def test_a_folder_that_cannot_be_made_counts_and_another_file_does_not(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder belongs")
    target = tmp_path / "taken" / "deep" / "a.json"
    with pytest.raises(WriteError, match=r"a\.json: cannot be written: Not a directory"):
        write_json(target, {})
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "b"):
        (tmp_path / "elsewhere").read_text()
    with pytest.raises(ZeroDivisionError), writing(tmp_path / "b"):
        _ = 1 / 0
