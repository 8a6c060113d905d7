"""The datasets by name."""

from __future__ import annotations

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.datasets.base import Dataset
from matteralign.datasets.qm9 import QM9

DATASETS: dict[str, type[Dataset]] = {QM9.name: QM9}


def get_dataset(name: str) -> type[Dataset]:
    """Return a dataset's class.

    Raises
    ------
    UserError
        If there is no such dataset; the nearest name is offered.
    """
    if name not in DATASETS:
        raise UserError(unknown("dataset", name, DATASETS))
    return DATASETS[name]
