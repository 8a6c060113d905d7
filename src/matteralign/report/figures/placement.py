"""Labels of a scatter plot put where they cover neither points nor each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ANGLES = np.deg2rad([45, 135, 315, 225, 0, 90, 180, 270, 22, 68, 112, 158, 202, 248, 292, 338])
RINGS = (9.0, 13.0, 18.0, 24.0, 31.0, 39.0, 48.0, 58.0, 70.0, 84.0, 100.0)


@dataclass(frozen=True)
class Box:
    """A rectangle in points."""

    x0: float
    y0: float
    x1: float
    y1: float

    def overlap(self, other: Box) -> float:
        """Return the shared area."""
        wide = min(self.x1, other.x1) - max(self.x0, other.x0)
        high = min(self.y1, other.y1) - max(self.y0, other.y0)
        return wide * high if wide > 0 and high > 0 else 0.0

    def inside(self, other: Box) -> bool:
        """Tell whether this box lies in `other`."""
        return (
            self.x0 >= other.x0
            and self.y0 >= other.y0
            and self.x1 <= other.x1
            and self.y1 <= other.y1
        )


def place_labels(
    anchors: npt.NDArray[np.float64],
    sizes: Sequence[tuple[float, float]],
    obstacles: Sequence[Box],
    bounds: Box,
) -> list[tuple[float, float]]:
    """Choose a centre for each label, nearest free place first.

    Labels in the densest part are placed first. Where no place within reach is free, the
    one that covers least is taken.

    Parameters
    ----------
    anchors : (m, 2)
        Points to be labelled, in points.
    sizes
        Width and height of each label.
    obstacles
        What must not be covered, the labelled points included.
    bounds
        Where labels must stay.

    Returns
    -------
    list of (x, y)
        Label centres in the order of `anchors`.
    """
    taken = list(obstacles)
    spots: list[tuple[float, float]] = [(0.0, 0.0)] * len(anchors)
    if not len(anchors):
        return spots
    gaps = np.linalg.norm(anchors[:, None] - anchors[None], axis=2)
    crowd = (gaps < RINGS[4]).sum(axis=1)
    for i in np.argsort(-crowd, kind="stable"):
        x, y = anchors[i]
        best: tuple[float, float, float, Box] | None = None
        for radius in RINGS:
            for angle in ANGLES:
                cx, cy = x + radius * np.cos(angle), y + radius * np.sin(angle)
                half_w, half_h = sizes[i][0] / 2, sizes[i][1] / 2
                box = Box(cx - half_w, cy - half_h, cx + half_w, cy + half_h)
                if not box.inside(bounds):
                    continue
                cost = sum(box.overlap(other) for other in taken)
                if best is None or cost < best[0]:
                    best = (cost, float(cx), float(cy), box)
            if best is not None and best[0] == 0.0:
                break
        if best is None:
            spots[i] = (float(x), float(y))
            continue
        spots[i] = (best[1], best[2])
        taken.append(best[3])
    return spots
