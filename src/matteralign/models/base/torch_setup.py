"""Torch made quiet, offline and repeatable, before any model is loaded."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matteralign.core.errors import UserError

_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}


def prepare_environment(threads: int, scratch: Path) -> None:
    """Set the variables that packages read when they are imported.

    Parameters
    ----------
    threads
        For OpenMP, MKL and torch.
    scratch
        Folder where packages may leave caches; nothing is written into the user's home.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ.update(_OFFLINE)
    for name, folder in {
        "XDG_CACHE_HOME": "xdg",
        "HF_HOME": "huggingface",
        "MPLCONFIGDIR": "matplotlib",
        "TORCH_HOME": "torch",
        "CACHED_PATH_CACHE_ROOT": "cached_path",
    }.items():
        os.environ[name] = str(scratch / folder)
    for text in (
        r".*tensor product accelerator.*",
        r".*TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD.*",
        r".*torch\.jit.*",
        r"Setting global torch default dtype.*",
        r"Consider passing 'precision=.*",
    ):
        warnings.filterwarnings("ignore", message=text)


@contextmanager
def own_index_select() -> Iterator[None]:
    """Give torch its own ``index_select`` back.

    Once torch-geometric is imported another stands there, which TorchScript cannot compile.
    """
    import torch

    replaced = torch.index_select
    geometric = sys.modules.get("torch_geometric.hash_tensor")
    torch.index_select = getattr(geometric, "_old_index_select", replaced)
    try:
        yield
    finally:
        torch.index_select = replaced


_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h of glibc


def keep_freed_memory() -> None:
    """Let the C allocator reuse freed memory instead of returning it to the system.

    Every batch frees and asks again for the same large arrays; without the page faults that
    follow, the potentials run 15 to 30 % faster on a CPU. Other platforms are left as they are.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_M_MMAP_MAX, 0)
        library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def release_memory() -> None:
    """Give back what a model held, before the next one is loaded in the same process."""
    gc.collect()
    if "torch" in sys.modules:
        import torch

        # Some packages set it for the whole process; the next model must find the default.
        torch.set_default_dtype(torch.float32)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)


def make_repeatable(threads: int) -> None:
    """Fix thread count and kernels so that equal input gives equal bytes.

    TorchScript's profiling executor runs the first calls of a graph differently from the
    later ones; a resumed run would then differ from an undisturbed one in the last bits.
    """
    import torch

    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.set_float32_matmul_precision("highest")
    torch._C._jit_set_profiling_executor(False)
    torch._C._jit_set_profiling_mode(False)
    torch._C._jit_override_can_fuse_on_cpu(False)
    torch._C._jit_set_texpr_fuser_enabled(False)


@contextmanager
def quiet_import() -> Iterator[None]:
    """Import a package that prints, or sets variables for the whole process, on import.

    mace-torch tells every later ``torch.load`` to open any pickle; here a pickle is opened
    by one call that says so, after the file's hash was checked.
    """
    before = dict(os.environ)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def quiet_logging() -> Iterator[None]:
    """Call a package that logs its configuration as it goes.

    fairchem sets up a log on standard output for the whole process; here the job's lines are
    the log.
    """
    root = logging.getLogger()
    handlers, level, disabled = list(root.handlers), root.level, root.manager.disable
    root.addHandler(logging.NullHandler())
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
        root.setLevel(level)


def resolve_device(name: str) -> str:
    """Return the device to run on: ``auto`` is the GPU where torch sees one, else the CPU.

    Raises
    ------
    UserError
        If a GPU is asked for and there is none.
    """
    import torch

    available = torch.cuda.is_available()
    if name == "auto":
        return "cuda" if available else "cpu"
    if name.startswith("cuda") and not available:
        raise UserError(f"device {name!r}: torch sees no GPU; use device cpu or auto")
    return name


def count_parameters(module: object) -> int:
    """Return the number of parameters of a torch module, each shared one counted once."""
    import torch

    assert isinstance(module, torch.nn.Module)
    return sum(p.numel() for p in module.parameters())
