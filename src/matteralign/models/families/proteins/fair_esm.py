"""Loading what fair-esm can load, with the packages it asks for and does not need."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import biotite.structure
import torch

from matteralign.models.base.torch_setup import quiet_import
from matteralign.models.base.wrapper import Wrapper
from matteralign.models.inputs.scatter import scatter_in_torch

__all__ = ["esm", "load_fair_esm"]


@contextlib.contextmanager
def _old_name() -> Iterator[None]:
    """Give esm.inverse_folding the function that biotite has renamed."""
    structure: Any = biotite.structure
    structure.filter_backbone = biotite.structure.filter_peptide_backbone
    try:
        yield
    finally:
        del structure.filter_backbone


with quiet_import(), scatter_in_torch(), _old_name():
    import esm
    import esm.inverse_folding


def load_fair_esm(wrapper: Wrapper) -> tuple[Any, Any]:
    """Load a wrapper's checkpoint by ``load_model_and_alphabet_local``.

    The package goes by the name of the file, and finds ESM2's contact head in a second file
    beside the first: both are laid into one folder under the names on the card. They hold
    tensors and one ``argparse.Namespace``, all that is allowed here.

    Returns
    -------
    model
        On the wrapper's device, in evaluation mode.
    alphabet
        Its tokens.
    """
    main = next(n for n in wrapper.files if not n.endswith("-contact-regression.pt"))
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Regression weights not found")
        folder = wrapper.folder(Path(scratch))
        with torch.serialization.safe_globals([Namespace]):
            model, alphabet = esm.pretrained.load_model_and_alphabet_local(str(folder / main))
    return model.to(wrapper.device).eval().requires_grad_(False), alphabet
