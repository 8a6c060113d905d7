"""Compiled code that many processes keep in one folder."""

import importlib
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import matteralign
from matteralign.core.compiled import SharedCodeFile, made_from
from matteralign.metrics.tiles.loops.tile_loops import add_sums

PACKAGE = Path(matteralign.__file__).parent
PROCESSES, KEYS = 4, 40


def _fill(folder, number, barrier):
    kept = SharedCodeFile(folder, "function", "stamp")
    barrier.wait()
    for key in range(number, KEYS, PROCESSES):
        kept.save(key, f"code for {key}")


def test_processes_that_compile_at_once_never_swap_their_code(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    workers = [
        context.Process(target=_fill, args=(str(tmp_path), i, barrier)) for i in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    kept = SharedCodeFile(str(tmp_path), "function", "stamp")
    assert [kept.load(key) for key in range(KEYS)] == [f"code for {key}" for key in range(KEYS)]


def test_code_is_stale_once_any_file_it_may_hold_has_changed(tmp_path, monkeypatch):
    package = tmp_path / "some_kernels"
    package.mkdir()
    for name in ("__init__.py", "inner.py"):
        (package / name).write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    made_from.cache_clear()
    before = made_from((("some_kernels", "*.py"),))
    assert before == made_from((("some_kernels", "*.py"),))
    (package / "inner.py").write_text("# another constant")
    made_from.cache_clear()
    after = made_from((("some_kernels", "*.py"),))
    SharedCodeFile(str(tmp_path), "function", before).save("key", "code")
    assert SharedCodeFile(str(tmp_path), "function", before).load("key") == "code"
    assert SharedCodeFile(str(tmp_path), "function", after).load("key") is None


def test_kernels_hold_what_their_stamp_names():
    stamp = add_sums._cache._cache_file._source_stamp[1]
    assert {"tile_loops.py", "exact_loops.py", "blocks.py"} <= {name for name, *_ in stamp}


LOOPS = sorted(
    path.relative_to(PACKAGE.parent).with_suffix("").as_posix().replace("/", ".")
    for path in (PACKAGE / "metrics").rglob("*_loops.py")
    if path.name != "bit_loops.py"  # instructions that are part of the loops that use them
)


@pytest.mark.parametrize("module", LOOPS)
def test_every_kernel_keeps_its_code_so(module):
    kernels = importlib.import_module(module)
    compiled = [f for f in vars(kernels).values() if hasattr(f, "nopython_signatures")]
    assert compiled
    for function in compiled:
        assert isinstance(function._cache._cache_file, SharedCodeFile)


def test_an_installation_that_may_not_be_written_runs_uncached_and_says_so_once(tmp_path):
    """No folder can be made where a file lies, for the administrator of the tests as well."""
    copy = tmp_path / "matteralign"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [copy / "stats", *(p for p in (copy / "metrics").rglob("*") if p.is_dir())]:
        (folder / "__pycache__").touch()
    home = tmp_path / "home"
    home.touch()
    program = (
        "import numpy, matteralign\n"
        "from matteralign.metrics.tiles.loops import tile_loops\n"
        "from matteralign.metrics.base.jit import jit\n"
        "print(matteralign.__file__, jit(lambda x: x + 1)(1))\n"
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "XDG_"))}
    variables = kept | {
        "HOME": str(home), "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(copy / "__init__.py"), "2"]
    assert done.stderr.count("NUMBA_CACHE_DIR") == 1
