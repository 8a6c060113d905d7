"""From verified checkpoint files to a loaded model, in the model's own environment."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from matteralign.core.errors import IntegrityError, MatterAlignError
from matteralign.core.hashing import sha256_file
from matteralign.models.architectures import build_architecture
from matteralign.models.base.catalogue import wrapper_class
from matteralign.models.base.torch_setup import keep_freed_memory, make_repeatable, resolve_device
from matteralign.models.base.wrapper import Wrapper
from matteralign.registry.card import ModelCard
from matteralign.registry.stand_in import untrained_card


def build_and_load(
    card: ModelCard, folder: Path, threads: int
) -> tuple[Wrapper, dict[str, dict[str, Any]]]:
    """Build a card's untrained files below `folder` and load them as the real ones are loaded.

    Returns
    -------
    wrapper
        The loaded untrained network.
    files
        ``sha256`` and ``size`` of each file by name.
    """
    print(f"{card.key}: building an untrained network", file=sys.stderr, flush=True)
    build_architecture(card, folder)
    paths = {f.name: folder / f.name for f in card.checkpoint.files}
    files = {n: {"sha256": sha256_file(p), "size": p.stat().st_size} for n, p in paths.items()}
    return load_wrapper(untrained_card(card, files), paths, "cpu", threads), files


def verify_files(card: ModelCard, files: dict[str, Path]) -> None:
    """Check every checkpoint file against the card before any of them is opened.

    Raises
    ------
    IntegrityError
        If a file is missing or its hash differs; the message names the file.
    """
    for pinned in card.checkpoint.files:
        path = files.get(pinned.name)
        if path is None or pinned.sha256 is None or not path.is_file():
            raise IntegrityError(
                f"{path or pinned.name}: checkpoint file of {card.key} is missing; fetch it"
            )
        digest = sha256_file(path)
        if digest != pinned.sha256:
            raise IntegrityError(
                f"{path}: bytes hash to {digest[:12]}…, the card of {card.key} pins "
                f"{pinned.sha256[:12]}…; not opened. Delete the file and fetch it again"
            )


def load_wrapper(
    card: ModelCard,
    files: dict[str, Path],
    device: str = "cpu",
    threads: int = 1,
    *,
    counted: bool = True,
) -> Wrapper:
    """Verify the files, load the model and compare its parameter count with the card.

    Parameters
    ----------
    counted
        Whether the card's count is known and must fit.

    Raises
    ------
    IntegrityError
        If a file is not the one the card pins.
    MatterAlignError
        If the network has another number of parameters than the card says.
    """
    verify_files(card, files)
    start = time.monotonic()
    print(f"{card.key}: loading", file=sys.stderr, flush=True)
    kind = wrapper_class(card.wrapper)
    if "torch" in sys.modules:
        device = resolve_device(device)
        make_repeatable(threads)
        keep_freed_memory()
    else:  # fingerprints and the baseline run on the CPU alone
        device = "cpu"
    names = {f.name for f in card.checkpoint.files}
    wrapper = kind(card, {name: path for name, path in files.items() if name in names}, device)
    found = wrapper.n_parameters()
    if counted and found != card.parameters.measured:
        raise MatterAlignError(
            f"model {card.key}: the loaded network has {found:,} parameters, its card says "
            f"{card.parameters.measured:,}; correct the card or the checkpoint"
        )
    took = time.monotonic() - start
    print(f"{card.key}: loaded in {took:.1f} s", file=sys.stderr, flush=True)
    return wrapper
