"""The verb that reads energies from latents."""

from __future__ import annotations

from typing import Annotated

import typer

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    SliceArgument,
    layout_of,
    print_whole,
    say,
    study_of,
)


def probe(
    slice_name: SliceArgument,
    model: Annotated[
        list[str] | None, typer.Option(help="Key of a model; may be repeated. Default: all.")
    ] = None,
    rows: Annotated[int, typer.Option(min=50, help="First rows of the slice to use.")] = 5000,
    permutations: Annotated[int, typer.Option(min=0, help="For the p-value.")] = 99,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Predict energies from each model's latents, beyond what composition explains.

    A ridge regression is fitted and tested on other compositions. Table and figure are written
    below the slice's results, in the folder probe.
    """
    from rich.table import Table

    from matteralign.core.suggest import require_known
    from matteralign.report.probe import write_probe

    study = study_of(config)
    layout = layout_of(study, slice_name)
    panel = [card.key for card in study.panel(slice_name)]
    for key in model or []:
        require_known("model", key, panel, f"on the panel of {slice_name}")
    keys = [key for key in panel if key in (model or panel)]
    found = write_probe(study, layout, keys, rows=rows, permutations=permutations, report=say)
    shown = Table("model", "n", "R²", "95 % interval", "p", "note")
    for row in found.to_dict("records"):
        ok = row["status"] == "ok"
        shown.add_row(
            row["model"],
            f"{row['n']:,}",
            f"{row['r2']:.3f}" if ok else "",
            f"{row['low']:.3f} to {row['high']:.3f}" if ok else "",
            f"{row['p']:.2g}" if ok else "",
            row["reason"] or ("untrained weights" if row["weights"] == "untrained" else ""),
        )
    print_whole(shown)
    say(f"table and figure: {layout.probe}")
