"""Predict the energies of a slice's structures from each model's latents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from matteralign.findings.energies.probe import Probe, probe
from matteralign.findings.energies.regression import element_counts
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.standing import require_today
from matteralign.stages.study.study import Study
from matteralign.store.latent_rows import open_latent
from matteralign.store.structures import read_compositions, read_header

COLUMNS = ["slice", "sample_set_id", "model", "weights", "latent_sha256", "dim"]
COLUMNS += list(Probe.__dataclass_fields__)


def probe_slice(
    study: Study,
    layout: Layout,
    keys: Sequence[str],
    *,
    rows: int,
    permutations: int,
    report: Callable[[str], None],
) -> pd.DataFrame:
    """Return one row per model; see `matteralign.findings.energies.probe.probe`.

    Parameters
    ----------
    keys
        Models of the panel.
    rows
        Leading structures of the slice that are used.

    Raises
    ------
    IntegrityError
        If structures or latents are missing, damaged, or not those of the configuration.
    """
    require_today(study, layout, keys)
    sample = read_compositions(layout.structures)
    sample_set_id = read_header(layout.structures).sample_set_id
    known = np.isfinite(sample.energies[:rows])
    _, counts = element_counts(list(sample.numbers[:rows]))
    found = []
    for key in keys:
        with open_latent(layout.latent(key), sample_set_id=sample_set_id) as latent:
            taken = np.flatnonzero(known & latent.valid[:rows])
            values = latent[:rows][taken]
            about = {
                "slice": layout.slice,
                "sample_set_id": sample_set_id,
                "model": key,
                "weights": latent.sidecar["checkpoint"]["weights"],
                "latent_sha256": latent.sha256,
                "dim": latent.shape[1],
            }
        if not known.any():
            outcome = Probe(
                status="not_applicable", reason="the structures of this slice have no DFT energies"
            )
        else:
            outcome = probe(
                values, counts[taken], sample.energies[:rows][taken], permutations=permutations
            )
        report(f"probe {layout.slice}, {key}: {_phrase(outcome)}")
        found.append(about | asdict(outcome))
    return pd.DataFrame(found, columns=COLUMNS)


def _phrase(found: Probe) -> str:
    if found.status != "ok":
        return f"not applicable: {found.reason}"
    return f"R² {found.r2:.3f} [{found.low:.3f}, {found.high:.3f}], p = {found.p:.2g}"
