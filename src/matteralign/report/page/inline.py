"""SVG files made fit to stand inside an HTML page, several on one page."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from matteralign.core.errors import MatterAlignError
from matteralign.report.figures.style import FAINT, INK, MUTED, PAPER

SVG = "http://www.w3.org/2000/svg"
DROPPED = {"metadata", "script", "foreignObject", "style", "title", "desc"}
PX_PER_POINT = 1.45  # one scale for all figures, the text as large as the page's
# A figure wider than the column of text shrinks to the window, but no further than its smallest
# letters can be read; then it scrolls.
COLUMN_PX, SMALLEST = 1040.0, 0.78
VARIABLES = {INK: "ink", MUTED: "muted", PAPER: "paper", FAINT: "faint"}


def inline_svg(svg: str, prefix: str, label: str) -> str:
    """Return an SVG as an element for an HTML page.

    Ids are prefixed, so that figures do not share clip paths; the four neutral colours of
    the style become style-sheet variables (dark pages); metadata, scripts, event handlers
    and links to anything outside the picture are removed.

    Parameters
    ----------
    svg
        Text of an SVG file.
    prefix
        Short and unique on the page: letters, digits and hyphens.
    label
        Text for readers who do not see the picture.

    Raises
    ------
    MatterAlignError
        If the text is not an SVG document.
    """
    if "<!ENTITY" in svg:
        raise MatterAlignError(f"figure {prefix}: SVG with entity declarations is refused")
    try:
        root = ET.fromstring(svg)  # noqa: S314 entities are refused above
    except ET.ParseError as error:
        raise MatterAlignError(f"figure {prefix}: not an SVG document: {error}") from error
    if root.tag != f"{{{SVG}}}svg":
        raise MatterAlignError(f"figure {prefix}: not an SVG document, but <{root.tag}>")
    _clean(root)
    ids = {e.get("id", ""): f"{prefix}-{e.get('id')}" for e in root.iter() if e.get("id")}
    for element in root.iter():
        _rewrite(element, ids)
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    box = root.get("viewBox", "").split()
    if len(box) == 4:
        width = float(box[2]) * PX_PER_POINT
        least = f"; min-width: {SMALLEST * width:.0f}px" if width > COLUMN_PX else ""
        root.set("style", f"width: {width:.0f}px{least}")
    root.set("role", "img")
    root.set("aria-label", label)
    text = ET.tostring(root, encoding="unicode")
    # In HTML the parser knows the namespace; without prefixes it is also shorter.
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text, count=4)
    return re.sub(r"<(/?)ns\d+:", r"<\1", text)


def _clean(element: ET.Element) -> None:
    for child in list(element):
        name = child.tag.rsplit("}", 1)[-1] if isinstance(child.tag, str) else "comment"
        if name in DROPPED or name == "comment":
            element.remove(child)
        else:
            _clean(child)


def _rewrite(element: ET.Element, ids: dict[str, str]) -> None:
    element.tag = element.tag.rsplit("}", 1)[-1]
    for key, value in list(element.attrib.items()):
        name = key.rsplit("}", 1)[-1]
        del element.attrib[key]
        if name.lower().startswith("on"):
            continue
        if name == "id":
            element.set("id", ids[value])
        elif name == "href":
            if value.startswith("#") and value[1:] in ids:
                element.set("href", "#" + ids[value[1:]])
            elif value.startswith("data:image/png;base64,"):
                element.set("href", value)
        else:
            local = re.sub(
                r"url\(\s*['\"]?([^)'\"]*)['\"]?\s*\)",
                lambda m: f"url(#{ids[m[1][1:]]})" if m[1][1:] in ids else "none",
                value,
            )
            element.set(name, _variables(local) if name == "style" else local)
    # A variable is certain to work in a style, not in a presentation attribute.
    for paint in ("fill", "stroke"):
        value = element.get(paint, "")
        if value in VARIABLES:
            del element.attrib[paint]
            element.set("style", f"{paint}: {_variables(value)}; {element.get('style', '')}")


def _variables(css: str) -> str:
    for colour, name in VARIABLES.items():
        css = css.replace(colour, f"var(--fig-{name}, {colour})")
    return css
