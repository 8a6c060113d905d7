"""The works that a slice rests on: the study, the data, the models, the metrics."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from matteralign.metrics.base.card import Citation
from matteralign.metrics.base.registry import METRICS

STUDY = Citation(
    "The study",
    "Edamadaka, S., Yang, S., Li, J. & Gómez-Bombarelli, R. Universally Converging "
    "Representations of Matter Across Scientific Foundation Models. arXiv:2512.03750 (2025).",
    "https://arxiv.org/abs/2512.03750",
)
NEIGHBOUR_JOINING = Citation(
    "Neighbour joining",
    "Saitou, N. & Nei, M. The neighbor-joining method: a new method for reconstructing "
    "phylogenetic trees. Mol. Biol. Evol. 4, 406–425 (1987).",
    "https://doi.org/10.1093/oxfordjournals.molbev.a040454",
)
_DOI = re.compile(r"\b(?:doi:\s*|https?://(?:dx\.)?doi\.org/)(10\.\d{4,9}/[^\s;,]+)", re.IGNORECASE)
_ARXIV = re.compile(r"\b(?:arXiv:\s*|arxiv\.org/abs/)(\d{4}\.\d{4,5})", re.IGNORECASE)


def works(
    *,
    metrics: Iterable[str] = (),
    dataset: tuple[str, str] | None = None,
    models: Iterable[tuple[str, str]] = (),
    tree: bool = False,
) -> list[Citation]:
    """Return every work once, in this order: study, data, models, metrics, tree.

    Parameters
    ----------
    metrics
        Names of the metrics that were used.
    dataset
        Name and reference of the data.
    models
        Name and reference of each model. A reference may hold several works, apart by
        semicolons.
    tree
        Whether a tree of the models is shown.
    """
    found: dict[str, Citation] = {}
    used: dict[str, list[str]] = {}
    sources = [] if dataset is None else [("Data: ", [dataset])]
    sources.append(("", list(models)))
    for prefix, named in sources:
        for name, reference in named:
            for text in split_reference(reference):
                found.setdefault(_key(text), Citation("", text, link(text)))
                used.setdefault(_key(text), []).append(f"{prefix}{name}")
    cited = [Citation("; ".join(used[key]), c.text, c.url) for key, c in found.items()]
    cards = dict.fromkeys(METRICS[name].citation for name in metrics)
    every = [STUDY, *cited, *cards, *([NEIGHBOUR_JOINING] if tree else [])]
    merged: dict[str, Citation] = {}
    for work in every:
        key = _key(f"{work.text} {work.url}")
        first = merged.get(key)
        uses = work.use if first is None else f"{first.use}; {work.use}"
        # The longer of two references to one work says more.
        text = max(work.text, "" if first is None else first.text, key=len)
        merged[key] = Citation(uses, text, work.url if first is None else first.url)
    return list(merged.values())


def split_reference(reference: str) -> list[str]:
    """Split a card's reference into works: at semicolons, where each part can be looked up."""
    parts = [part.strip() for part in reference.split(";") if part.strip()]
    return parts if all(link(part) for part in parts) else [reference.strip()]


def link(text: str) -> str:
    """Return the address of a work from its DOI or its number at arXiv; "" where it has none."""
    doi, arxiv = _DOI.search(text), _ARXIV.search(text)
    if doi:
        return f"https://doi.org/{doi[1].rstrip('.')}"
    return f"https://arxiv.org/abs/{arxiv[1]}" if arxiv else ""


def identifiers(work: Citation) -> Mapping[str, str]:
    """Return the fields of a work that BibTeX knows: doi, or eprint with its archive; year."""
    text = f"{work.text} {work.url}"
    doi, arxiv = _DOI.search(text), _ARXIV.search(text)
    fields: dict[str, str] = {}
    if doi:
        fields["doi"] = doi[1].rstrip(".")
    if arxiv:
        fields |= {"eprint": arxiv[1], "archiveprefix": "arXiv"}
    without = _ARXIV.sub("", _DOI.sub("", work.text))
    year = re.search(r"\b(19[5-9]\d|20[0-4]\d)\b", without)
    if year:
        fields["year"] = year[1]
    elif arxiv:
        fields["year"] = f"20{arxiv[1][:2]}"
    return fields


def _key(text: str) -> str:
    return (link(text) or text).lower()
