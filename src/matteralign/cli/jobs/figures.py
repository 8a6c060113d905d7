"""The verb that draws the figures of a slice."""

from __future__ import annotations

from pathlib import Path

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    SliceArgument,
    say,
    view_of,
)


def figures(slice_name: SliceArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Draw the figures of a slice as SVG and PNG, and write its tree as Newick."""
    view = view_of(slice_name, config)
    from matteralign.core.files import write_text
    from matteralign.report.drawing import draw, tree_of
    from matteralign.report.drawn import write_drawn
    from matteralign.report.figures.render import render
    from matteralign.store.written import keep_only

    folder = view.layout.figures
    captions = []
    written: list[Path] = []
    found = tree_of(view)
    for drawing in draw(view, found):
        image = render(drawing.figure, f"{slice_name}-{drawing.stem}")
        written += image.write(folder / drawing.stem)
        captions.append({"stem": drawing.stem, "title": drawing.title, "caption": drawing.caption})
    if isinstance(found, str):
        say(f"figures {slice_name}: no tree of the models: {found}")
    else:
        written.append(folder / "tree.nwk")
        write_text(written[-1], found[0].newick + "\n")
    written.append(write_drawn(view, captions))
    keep_only(folder, written)
    say(f"figures {slice_name}: {len(captions)} figures in {folder}")
