"""Tables and figure of the test whether metrics answer to a growing disturbance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from matteralign.findings.sensitivity import verdicts
from matteralign.report.figures.findings.sensitivity import sensitivity_figure
from matteralign.report.figures.render import render
from matteralign.stages.checks.sensitivity import SelfTest
from matteralign.store.tidy import write_table
from matteralign.store.written import keep_only


def write_sensitivity(
    test: SelfTest,
    keys: Sequence[str],
    *,
    threads: int,
    device: str,
    report: Callable[[str], None],
) -> pd.DataFrame:
    """Run the self-test for some models, write its tables and figure, and return the verdicts.

    Raises
    ------
    MatterAlignError
        If a model cannot run, or cannot be tested.
    """
    frames = [test.score(key, threads=threads, device=device, report=report) for key in keys]
    scores = pd.concat(frames, ignore_index=True)
    found = verdicts(scores)
    made_of = {"sample_set_id": str(scores["sample_set_id"].iloc[0]), "rows": test.rows}
    written = list(write_table(scores, test.folder / "scores", made_of))
    written += write_table(found, test.folder / "verdicts", made_of)
    names = {
        key: test.study.cards[key].name + (" † untrained" if weights == "untrained" else "")
        for key, weights in zip(scores["model"], scores["weights"], strict=True)
    }
    dataset = test.study.slice(test.layout.slice).dataset
    counted = scores["n"]
    n = (
        f"n = {counted.min():,}"
        if counted.nunique() == 1
        else (f"n = {counted.min():,} to {counted.max():,}")
    )
    heads = (
        "Do the metrics answer to a growing disturbance?",
        f"{dataset} · latents of disturbed structures against those of the same structures · {n}",
    )
    figure = sensitivity_figure(scores, names, heads)
    written += render(figure, f"sensitivity-{test.layout.slice}").write(test.folder / "sensitivity")
    keep_only(test.folder, written)
    return found
