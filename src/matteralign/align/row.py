"""One row of the comparison: a model against every model of lower index.

A pair that was scored before under the same key (both latent hashes, metric, definition,
parameters, version) is taken from the row's ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from matteralign.align.layout import Layout
from matteralign.align.measure import Measure, Row, by_scaling, statistics
from matteralign.align.study import Study
from matteralign.align.summary import read_lists
from matteralign.metrics import Neighbors, NormalizeMode, Scored, compare, normalize
from matteralign.store.latents import Latent, read_latent
from matteralign.store.ledger import Ledger
from matteralign.store.structures import read_structures
from matteralign.store.tidy import SCORES, write_rows


@dataclass(frozen=True)
class RowResult:
    """How much of a row was computed and how much was there already, in pairs."""

    computed: int
    reused: int


@dataclass(frozen=True)
class _Context:
    study: Study
    layout: Layout
    sample_set_id: str
    dataset: str
    hashes: Mapping[str, str]

    def key(self, measure: Measure, a: str, b: str) -> str:
        return measure.key(self.hashes[a], self.hashes[b])


def score_row(study: Study, layout: Layout, key: str, *, threads: int = 1) -> RowResult:
    """Score the pairs of one model with those of lower index and write its row file.

    Raises
    ------
    IntegrityError
        If a latent belongs to another sample set or does not match its hash; the message
        names the file.
    """
    sample = read_structures(layout.structures)
    partners = study.row_partners(layout.slice, key)
    # Refuses a latent of another sample set even where every pair is in the ledger.
    hashes = {name: _latent_hash(layout, name, sample.id) for name in (*partners, key)}
    context = _Context(study, layout, sample.id, sample.dataset, hashes)
    rows: list[Row] = []
    with Ledger(layout.ledger(key)) as ledger:
        missing = [p for p in partners if not _complete(context, ledger, p, key)]
        for a, b, measure, scored in _compute(context, key, missing, threads):
            stored = measure.outcome(scored) | statistics(scored)
            ledger.add(context.key(measure, a, b), stored)
        for partner in partners:
            for a, b in ((partner, key), (key, partner)):
                rows += [_row(context, ledger, m, a, b) for m in study.pair_measures]
    write_rows(layout.row(key), rows, SCORES)
    return RowResult(len(missing), len(partners) - len(missing))


def _latent_hash(layout: Layout, key: str, sample_set_id: str) -> str:
    path = layout.latent(key)
    return read_latent(path, sample_set_id=sample_set_id).sha256


def _complete(context: _Context, ledger: Ledger, a: str, b: str) -> bool:
    return all(
        ledger.get(context.key(measure, *pair)) is not None
        for measure in context.study.pair_measures
        for pair in ((a, b), (b, a))
    )


_Result = tuple[str, str, Measure, Scored]


def _compute(
    context: _Context, key: str, partners: Sequence[str], threads: int
) -> Iterator[_Result]:
    """Score `key` against `partners`, those with the same common rows together."""
    latents = {name: _load(context, name) for name in (*partners, key)} if partners else {}
    groups: dict[bytes, list[str]] = {}
    for partner in partners:
        common = latents[partner].valid & latents[key].valid
        groups.setdefault(common.tobytes(), []).append(partner)
    for mask, members in groups.items():
        common = np.frombuffer(mask, bool)
        pairs = [(partner, key) for partner in members]
        if common.any():
            chosen = {name: latents[name] for name in (*members, key)}
            yield from _scored(context, chosen, common, pairs, threads)
        else:
            yield from _nothing_common(context, pairs)


def _scored(
    context: _Context,
    latents: Mapping[str, Latent],
    common: npt.NDArray[np.bool_],
    pairs: Sequence[tuple[str, str]],
    threads: int,
) -> Iterator[_Result]:
    for scaling, specs in by_scaling(context.study.pair_measures).items():
        scores = compare(
            {name: _values(latent, common, scaling) for name, latent in latents.items()},
            pairs,
            specs,
            neighbors=dict(_neighbors(context, latents, common, scaling)),
            threads=threads,
        )
        for score in scores:
            yield score.a, score.b, Measure(score.spec, scaling), score.scored


def _load(context: _Context, name: str) -> Latent:
    return read_latent(context.layout.latent(name), sample_set_id=context.sample_set_id)


def _values(
    latent: Latent, common: npt.NDArray[np.bool_], scaling: NormalizeMode
) -> npt.NDArray[np.float64]:
    # Scaled over the model's own rows first, so that a pair's mask does not change the scale.
    return normalize(latent.values[latent.valid], scaling)[common[latent.valid]]


def _neighbors(
    context: _Context,
    latents: Mapping[str, Latent],
    common: npt.NDArray[np.bool_],
    scaling: NormalizeMode,
) -> Iterator[tuple[str, Neighbors]]:
    """Yield the stored neighbour lists of the models whose own rows are the common rows."""
    for name, latent in latents.items():
        if np.array_equal(latent.valid, common):
            lists = read_lists(context.layout, name, latent.sha256, scaling)
            if lists is not None:
                yield name, lists


def _nothing_common(context: _Context, pairs: Iterable[tuple[str, str]]) -> Iterator[_Result]:
    scored = Scored.not_applicable("the two models took no structure in common", 0)
    for a, b in pairs:
        for measure in context.study.pair_measures:
            yield a, b, measure, scored
            yield b, a, measure, scored


def _row(context: _Context, ledger: Ledger, measure: Measure, a: str, b: str) -> Row:
    stored = ledger.get(context.key(measure, a, b)) or {}
    return {
        "slice": context.layout.slice,
        "dataset": context.dataset,
        "sample_set_id": context.sample_set_id,
        "model_a": a,
        "model_b": b,
        "latent_sha256_a": context.hashes[a],
        "latent_sha256_b": context.hashes[b],
        **stored,
    }
