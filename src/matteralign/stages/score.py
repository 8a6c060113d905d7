"""All scores of a slice: those missing from its ledger are computed, the rest are read.

A score is known by both latent hashes, metric, definition, parameters, scaling and version.
What one call of the engine computes is one batch of the ledger: the last digits of its
values depend on which pairs were computed together, so it is kept as a whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from matteralign.core.scaling import SCALINGS, Scaling
from matteralign.metrics.base.specs import STATISTICS, MetricSpec, Scored
from matteralign.stages.assemble import adjust, check_scores, ordered_pairs
from matteralign.stages.progress import Progress
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.lists import StoredLists
from matteralign.stages.study.measure import Measure, Row, by_scaling
from matteralign.stages.study.standing import scores_made_of
from matteralign.stages.study.study import Study
from matteralign.stages.upkeep import drop_stale
from matteralign.stats.blocks import LEAST_ROWS
from matteralign.store.latent_rows import LatentRows, open_latent
from matteralign.store.latents import weights_of
from matteralign.store.ledger import Ledger
from matteralign.store.passes import PassFile, forget_passes
from matteralign.store.replicates import BOTH, REPLICATES, packed, unpacked
from matteralign.store.structures import read_structures
from matteralign.store.tidy import SCORES, SWEEP, write_rows

Pair = tuple[str, str]


@dataclass(frozen=True)
class ScoreResult:
    """How many pairs of models were computed, and how many were there already."""

    computed: int
    reused: int


@dataclass(frozen=True)
class _Batch:
    scaling: Scaling
    specs: tuple[MetricSpec, ...]
    pairs: list[Pair]


@dataclass(frozen=True)
class _Work:
    study: Study
    layout: Layout
    latents: Mapping[str, LatentRows]
    threads: int
    report: Callable[[str], None]

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        return self.study.pair_measures(self.layout.slice)

    @property
    def sweep(self) -> bool:
        return self.study.config.metrics.sweep

    @property
    def statistics(self) -> bool:
        return self.study.config.metrics.statistics

    def key(self, measure: Measure, a: str, b: str) -> str:
        hashes = self.latents[a].sha256, self.latents[b].sha256
        return measure.key(*hashes, statistics=self.statistics)

    def known(self, ledger: Ledger, measure: Measure, a: str, b: str) -> bool:
        stored = ledger.get(self.key(measure, a, b))
        if stored is None or (self.sweep and stored["sweep"] is None):
            return False
        # Ledgers of earlier versions did not keep all of them.
        return not self.statistics or all(name in stored for name in (*BOTH, *STATISTICS))


def score_slice(
    study: Study, layout: Layout, *, threads: int = 1, report: Callable[[str], None] = print
) -> ScoreResult:
    """Score every pair of a slice and write its table, and its sweep where asked for.

    Parameters
    ----------
    threads
        Threads of the engine.
    report
        Called with a line now and then.

    Raises
    ------
    IntegrityError
        If a latent belongs to another sample set or does not match its hash, or neighbour
        lists belong to other latents; the message names the file.
    """
    sample = read_structures(layout.structures)
    keys = [card.key for card in study.panel(layout.slice)]
    with ExitStack() as opened, Ledger(layout.ledger) as ledger:
        latents = {
            key: opened.enter_context(open_latent(layout.latent(key), sample_set_id=sample.id))
            for key in keys
        }
        work = _Work(study, layout, latents, threads, report)
        batches = list(_missing(work, ledger))
        for batch in batches:
            _compute(work, ledger, batch)
        identity = {
            "slice": layout.slice,
            "dataset": sample.dataset,
            "sample_set_id": sample.id,
        }
        _write(work, ledger, identity)
        pairs = len(keys) * (len(keys) - 1)
        drop_stale(ledger, layout, pairs * len(work.measures), report)
    forget_passes(layout.passes)
    computed = len({pair for batch in batches for pair in batch.pairs})
    return ScoreResult(computed, len(keys) * (len(keys) - 1) // 2 - computed)


def _missing(work: _Work, ledger: Ledger) -> Iterator[_Batch]:
    """Yield what the ledger lacks; pairs that lack the same metrics are one batch."""
    for scaling, specs in by_scaling(work.measures).items():
        pairs: dict[tuple[MetricSpec, ...], list[Pair]] = {}
        for a, b in combinations(work.latents, 2):
            lacking = tuple(
                spec
                for spec in specs
                if not all(
                    work.known(ledger, Measure(spec, scaling), *pair) for pair in ((a, b), (b, a))
                )
            )
            if lacking:
                pairs.setdefault(lacking, []).append((a, b))
        for lacking, chosen in pairs.items():
            yield _Batch(scaling, lacking, chosen)


def _compute(work: _Work, ledger: Ledger, batch: _Batch) -> None:
    found: dict[str, Row] = {}

    def keep(a: str, b: str, spec: MetricSpec, scored: Scored) -> None:
        measure = Measure(spec, batch.scaling)
        sweep = [[p.n, p.value, p.debiased] for p in scored.sweep] if work.sweep else None
        left = {name: packed(getattr(scored, name)) for name in BOTH}
        stored = measure.row(scored) | left | {"sweep": sweep}
        found[work.key(measure, a, b)] = stored

    common: list[Pair] = []
    nothing = Scored.not_applicable("the two models took no structure in common", 0)
    for a, b in batch.pairs:
        if (work.latents[a].valid & work.latents[b].valid).any():
            common.append((a, b))
            continue
        for spec in batch.specs:
            keep(a, b, spec, nothing)
            keep(b, a, spec, nothing)
    pass_state = PassFile(work.layout.passes, _identity(work, batch), work.report)
    if common:
        models = [key for key in work.latents if any(key in pair for pair in common)]
        what = f"score {work.layout.slice}, {batch.scaling} scaling"
        work.report(f"{what}: {len(common)} pairs of {len(models)} models")
        from matteralign.metrics import compare

        scores = compare(
            {key: work.latents[key] for key in models},
            common,
            batch.specs,
            valid={key: work.latents[key].valid for key in models},
            neighbors=StoredLists(
                work.layout, {key: work.latents[key].sha256 for key in models}, batch.scaling
            ),
            normalize=batch.scaling,
            memory_bytes=work.study.memory_bytes,
            threads=work.threads,
            statistics=work.statistics,
            sweep=work.sweep,
            device=work.study.config.metrics.device,
            progress=Progress(what, work.report),
            pass_state=pass_state,
        )
        for score in scores:
            keep(score.a, score.b, score.spec, score.scored)
    ledger.add(found)
    pass_state.remove()


def _identity(work: _Work, batch: _Batch) -> dict[str, Any]:
    """Return what decides the numbers of a batch to the last digit."""
    return {
        "measures": [Measure(spec, batch.scaling).identity() for spec in batch.specs],
        "pairs": batch.pairs,
        "latents": {key: rows.sha256 for key, rows in work.latents.items()},
        "memory_bytes": work.study.memory_bytes,
        "device": work.study.config.metrics.device,
        "statistics": work.statistics,
        "sweep": work.sweep,
    }


def _write(work: _Work, ledger: Ledger, identity: Row) -> None:
    rows, replicates, sweep = [], [], []
    for a, b in ordered_pairs(list(work.latents)):
        sides = (("a", a), ("b", b))
        for measure in work.measures:
            stored = dict(ledger.get(work.key(measure, a, b)) or {})
            if not stored:
                continue
            sizes: Sequence[Any] = stored.pop("sweep") or ()
            left = {name: unpacked(stored.pop(name, None)) for name in BOTH}
            rows.append(
                identity
                | {"model_a": a, "model_b": b}
                | {f"weights_{s}": weights_of(work.latents[m].sidecar) for s, m in sides}
                | {f"latent_sha256_{s}": work.latents[m].sha256 for s, m in sides}
                | {"scaling": SCALINGS[measure.scaling]}
                | stored
            )
            replicates.append(_replicates_row(rows[-1], left, statistics=work.statistics))
            sweep += [_sweep_row(rows[-1], *size) for size in sizes]
    adjust(rows, work.measures)
    check_scores(
        rows,
        work.layout.scores,
        sample_set_id=identity["sample_set_id"],
        latents={key: latent.sha256 for key, latent in work.latents.items()},
        measures=work.measures,
    )
    made_of = scores_made_of(work.study, work.layout)
    write_rows(work.layout.replicates, replicates, REPLICATES, made_of)
    write_rows(work.layout.scores, rows, SCORES, made_of)
    if work.sweep:
        write_rows(work.layout.sweep, sweep, SWEEP)
    else:
        # What a study asked for once must not stand beside newer scores.
        work.layout.sweep.unlink(missing_ok=True)


def _replicates_row(score: Row, left: Row, *, statistics: bool) -> Row:
    same = {name: score[name] for name in REPLICATES.names if name in score}
    reason = score["reason"]
    if score["value"] is not None and left["replicates"] is None:
        reason = _no_replicates(score, statistics=statistics)
    return same | left | {"reason": reason}


def _no_replicates(score: Row, *, statistics: bool) -> str:
    if not statistics:
        return "the study asks for no statistics (metrics.statistics)"
    if score["n"] < LEAST_ROWS:
        return f"fewer than {LEAST_ROWS} rows"
    if score["ci_low"] is not None:
        return "its interval is not made from blocks of rows"
    return "it has no value without one of the blocks"


def _sweep_row(score: Row, n: int, value: float, debiased: float | None) -> Row:
    same = {name: score[name] for name in SWEEP.names if name in score}
    return same | {"n": n, "value": value, "debiased": debiased}
