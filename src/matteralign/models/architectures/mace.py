"""MACE networks without weights: the pickled module that mace-torch loads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from e3nn import o3

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.models.base.torch_setup import quiet_import
from matteralign.registry.card import ModelCard, StandIn
from matteralign.registry.stand_in import check_options

with quiet_import():
    from mace import modules

_KNOWN = {"hidden", "cutoff", "bessel", "first", "neighbors"}


def build(card: ModelCard, stand_in: StandIn, folder: Path) -> None:
    """Save an untrained ScaleShiftMACE in float64, as the published files are.

    Options
    -------
    hidden
        Irreps of the node features, such as ``128x0e+128x1o``.
    cutoff
        In Å.
    bessel
        Number of radial functions.
    first
        Interaction block of the first layer: ``RealAgnosticInteractionBlock`` or
        ``RealAgnosticResidualInteractionBlock``.
    neighbors
        Mean number of neighbours, by which messages are divided.

    The elements are those that the card accepts. Isolated atoms have energy 0.

    Raises
    ------
    UserError
        If an option or its block is unknown, or an option is missing.
    """
    options = stand_in.options
    check_options(options, _KNOWN, needed=_KNOWN)
    if options["first"] not in modules.interaction_classes:
        raise UserError(unknown("first", str(options["first"]), modules.interaction_classes))
    elements = sorted(card.accepts.element_set() or range(1, 95))
    torch.manual_seed(stand_in.seed)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        model = modules.ScaleShiftMACE(
            r_max=float(options["cutoff"]),
            num_bessel=int(options["bessel"]),
            num_polynomial_cutoff=5,
            max_ell=3,
            interaction_cls=modules.RealAgnosticResidualInteractionBlock,
            interaction_cls_first=modules.interaction_classes[options["first"]],
            num_interactions=2,
            num_elements=len(elements),
            hidden_irreps=o3.Irreps(options["hidden"]),
            MLP_irreps=o3.Irreps("16x0e"),
            atomic_energies=np.zeros((1, len(elements))),
            avg_num_neighbors=float(options["neighbors"]),
            atomic_numbers=elements,
            correlation=3,
            gate=torch.nn.functional.silu,
            radial_MLP=[64, 64, 64],
            atomic_inter_scale=1.0,
            atomic_inter_shift=0.0,
            heads=["default"],
        )
    finally:
        torch.set_default_dtype(before)
    (pinned,) = card.checkpoint.files
    torch.save(model, folder / pinned.name)
