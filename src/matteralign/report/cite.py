"""What to cite for one slice, from its files."""

from __future__ import annotations

from matteralign import __version__
from matteralign.metrics.base.card import Citation
from matteralign.report.citing.methods import methods
from matteralign.report.citing.works import works
from matteralign.report.drawing import tree_of
from matteralign.report.slice_view import SliceView
from matteralign.store.structures import read_header

SOFTWARE = Citation(
    "this software",
    f"The matteralign developers. matteralign: how alike scientific foundation models see matter, "
    f"version {__version__}.",
    "",
)


def works_of(view: SliceView) -> list[Citation]:
    """Return every work that a slice rests on: no method that it does not show."""
    measures = (*view.pair_measures, *view.model_measures)
    info = read_header(view.layout.structures).info
    dataset = view.study.slice(view.layout.slice).dataset
    cards = view.study.panel(view.layout.slice)
    return works(
        metrics=dict.fromkeys(m.spec.metric for m in measures),
        dataset=(dataset, info["citation"]) if info.get("citation") else None,
        models=[(card.name, card.reference) for card in cards],
        tree=not isinstance(tree_of(view, support=False), str),
    )


def methods_of(view: SliceView) -> str:
    """Return a paragraph for the methods section of a paper."""
    header = read_header(view.layout.structures)
    seed = header.info.get("seed", "")
    measures = (*view.pair_measures, *view.model_measures)
    counts = {}
    for frame in (view.scores, view.dimensions):
        ok = frame[frame["status"] == "ok"]
        for metric, rows in ok.groupby("metric", sort=False):
            counts[str(metric)] = int(rows["n"].min()), int(rows["n"].max())
    return methods(
        slice_name=view.layout.slice,
        dataset=view.study.slice(view.layout.slice).dataset,
        n=int(next(iter(view.sidecars.values()))["n_rows"]),
        seed=int(seed) if seed.isdecimal() else None,
        sample_set_id=header.sample_set_id,
        facts=view.facts,
        specs=[(m.spec.metric, m.spec.definition, m.params) for m in measures],
        taken=counts,
        statistics=view.study.config.metrics.statistics,
    )
