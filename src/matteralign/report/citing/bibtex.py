"""Works as BibTeX."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from matteralign.metrics.base.card import Citation
from matteralign.report.citing.works import identifiers

# A brace that TeX does not see would end a field.
_SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)


def bibtex(cited: Iterable[Citation], software: Citation) -> str:
    """Return BibTeX entries, UTF-8, one for each work and one for this program.

    References of cards are one line of text without fields of their own. So an entry has the
    whole reference as its title, beside its DOI or number at arXiv, from which a reference
    manager fetches the rest.
    """
    taken: set[str] = set()
    entries = [_entry("misc", work, taken) for work in cited]
    entries.append(_entry("software", software, taken))
    return "\n\n".join(entries) + "\n"


def _entry(kind: str, work: Citation, taken: set[str]) -> str:
    fields = {"title": f"{{{work.text.translate(_SPECIAL)}}}", **identifiers(work)}
    if work.url:
        fields["url"] = work.url
    fields["note"] = f"Cited for: {work.use}".translate(_SPECIAL)
    body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@{kind}{{{_label(work, taken)},\n{body}\n}}"


def _label(work: Citation, taken: set[str]) -> str:
    """Return first author and year, told apart by a letter."""
    plain = unicodedata.normalize("NFKD", work.text).encode("ascii", "ignore").decode()
    first = re.match(r"[A-Za-z][A-Za-z-]*", plain)
    stem = (first[0] if first else "work").lower() + identifiers(work).get("year", "")
    label, letter = stem, ord("a")
    while label in taken:
        label, letter = f"{stem}{chr(letter)}", letter + 1
    taken.add(label)
    return label
