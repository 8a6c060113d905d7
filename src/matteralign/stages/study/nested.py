"""Slices of one draw: the rows of a shorter one are the first rows of a longer one.

So a model is run on the longest alone. Which slices may be of one draw is read from the
configuration here; that their rows are the same is checked row by row before any are taken
(`stages/study/taken.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from matteralign.core.errors import IntegrityError
from matteralign.stages.study.across import analysis_inputs
from matteralign.stages.study.layout import AnalysisLayout, Layout
from matteralign.stages.study.standing import Standing
from matteralign.stages.study.study import Study
from matteralign.store.latents import read_sidecar

_OF_ONE_MODEL = {"latents", "predictions", "neighbors"}  # folders of a slice


def of_one_draw(study: Study, name: str) -> list[str]:
    """Return the other slices of a slice's draw, longest first.

    They have its dataset, seed and filters. A draw that is shared out among groups depends on
    its length, so it is shared by slices of one length only.
    """
    mine, others = study.sample_identity(name), []
    for other in study.config.slices:
        theirs = study.sample_identity(other)
        same = mine | {"n": None} == theirs | {"n": None}
        if other != name and same and (mine["stratify"] is None or mine["n"] == theirs["n"]):
            others.append(other)
    return sorted(others, key=lambda other: _length(study, other), reverse=True)


def longer(study: Study, name: str) -> list[str]:
    """Return the slices that a slice may take its rows from, longest first.

    Of slices of one length the one that the configuration names first counts as the longest: no
    two slices wait for each other.
    """
    mine = _length(study, name)
    return [other for other in of_one_draw(study, name) if _length(study, other) > mine]


def _length(study: Study, name: str) -> tuple[float, int]:
    n = study.slice(name).n
    return (float("inf") if n == "all" else n), -list(study.config.slices).index(name)


def source_of(
    study: Study, results: Path, name: str, key: str, requested: Collection[str] = ()
) -> str | None:
    """Return the slice that a model's rows on a slice are to be taken from; None: it is run.

    What is there and of today is not made again, so it keeps the source that it has: the answer
    is the same in each run, whichever slices it is asked for.

    Parameters
    ----------
    results
        Folder of the results.
    requested
        Slices that the same run makes.
    """
    layout = Layout(results, name)
    standing = _has_latents(study, layout, key)
    source = _taken_from(layout, key) if standing else None
    for other in longer(study, name):
        if standing and other != source:
            continue
        if key not in {card.key for card in study.panel(other)}:
            continue
        if not _made_alike(study, key, name, other):
            continue
        wanted = not standing and other in requested
        if wanted or _has_latents(study, Layout(results, other), key):
            return other
    return None


def of_models(study: Study, results: Path, files: Iterable[str]) -> dict[str, set[str]]:
    """Return of which models latents are needed for some results, by slice.

    Parameters
    ----------
    files
        Results of slices and analyses; a path that is neither is passed over.
    """
    found: dict[str, set[str]] = {}
    for file in files:
        parts = Path(file).parts
        for name in set(parts).intersection(study.config.analyses):
            inputs = analysis_inputs(study, AnalysisLayout(results, name))
            for other, keys in of_models(study, results, map(str, inputs)).items():
                found.setdefault(other, set()).update(keys)
        for name in set(parts).intersection(study.config.slices):
            layout = Layout(results, name)
            if parts[-1] == layout.structures.name:
                continue
            panel = {card.key for card in study.panel(name)}
            of_one = parts[-2] in _OF_ONE_MODEL
            found.setdefault(name, set()).update({Path(file).stem} if of_one else panel)
    return found


def _made_alike(study: Study, key: str, name: str, other: str) -> bool:
    """Return whether a model's latents on two slices are made with the same."""
    # Slices differ in nothing but in whether untrained networks may stand in.
    return study.weights(name) == study.weights(other) or (
        study.embed_identity(key, name) == study.embed_identity(key, other)
    )


def _has_latents(study: Study, layout: Layout, key: str) -> bool:
    """Return whether a model's latents on a slice exist and are up to date."""
    if not layout.latent_sidecar(key).exists():
        return False  # most often, and told without reading what decides them
    standing = Standing(study, layout)
    results = [standing.sampled(), standing.embedded(study.cards[key])]
    return all(result.there and result.differs() is None for result in results)


def _taken_from(layout: Layout, key: str) -> str | None:
    try:
        found = read_sidecar(layout.latent(key)).get("taken_from")
    except IntegrityError:
        return None
    return found["slice"] if isinstance(found, dict) else None
