"""Table and figure of the energies that can be read from latents."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from matteralign.report.analysis.tables import facts_of, models_table
from matteralign.report.figures.captions import count_text
from matteralign.report.figures.findings.probe_bars import probe_figure
from matteralign.report.figures.render import render
from matteralign.report.figures.style import labels_of
from matteralign.stages.checks.probe import probe_slice
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.study import Study
from matteralign.store.latents import read_sidecar
from matteralign.store.tidy import write_table
from matteralign.store.written import keep_only


def write_probe(
    study: Study,
    layout: Layout,
    keys: Sequence[str],
    *,
    rows: int,
    permutations: int,
    report: Callable[[str], None],
) -> pd.DataFrame:
    """Probe the latents of some models, write the table and the figure, and return the table.

    Raises
    ------
    IntegrityError
        If structures or latents are missing, damaged, or not those of the configuration.
    """
    found = probe_slice(study, layout, keys, rows=rows, permutations=permutations, report=report)
    made_of = {
        "sample_set_id": str(found["sample_set_id"].iloc[0]),
        "latents": dict(zip(found["model"], found["latent_sha256"], strict=True)),
        "rows": rows,
        "permutations": permutations,
    }
    written = list(write_table(found, layout.probe / "probe", made_of))
    cards = [card for card in study.panel(layout.slice) if card.key in set(keys)]
    facts = [facts_of(card, read_sidecar(layout.latent(card.key))) for card in cards]
    known = found[found["status"] == "ok"]
    n = count_text(int(known["n"].min()), int(known["n"].max())) if len(known) else ""
    dataset = study.slice(layout.slice).dataset
    figure = probe_figure(found, labels_of(models_table(facts)), f"{dataset} · {n}")
    if figure is not None:
        written += render(figure, f"probe-{layout.slice}").write(layout.probe / "probe")
    keep_only(layout.probe, written)
    return found
