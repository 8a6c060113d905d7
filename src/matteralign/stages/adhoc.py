"""Scores of arrays that belong to no study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matteralign.metrics import compare, summarize_scalings
from matteralign.metrics.base.inputs import as_matrix
from matteralign.metrics.base.specs import Scored
from matteralign.metrics.embedding.scaling import refusal, scalable_rows
from matteralign.stages.study.measure import Measure, Row, by_scaling


@dataclass(frozen=True)
class Outcome:
    """One score: of which arrays, by which measure; `b` is empty for a single array.

    Attributes
    ----------
    forward
        Whether it goes from the array that was named first.
    """

    a: str
    b: str
    measure: Measure
    scored: Scored
    forward: bool = True

    def row(self) -> Row:
        """Return every field as plain values."""
        names = {"a": self.a, "b": self.b} if self.b else {"x": self.a}
        sweep = [{"n": p.n, "value": p.value, "debiased": p.debiased} for p in self.scored.sweep]
        told = self.measure.row(self.scored)
        told["params"] = dict(self.measure.spec.params)
        return names | {"normalize": self.measure.scaling} | told | {"sweep": sweep}


def compare_arrays(
    arrays: Mapping[str, Any],
    measures: Sequence[Measure],
    *,
    threads: int = 1,
    memory_bytes: int,
    device: str = "cpu",
    sweep: bool = False,
) -> list[Outcome]:
    """Score two arrays of the same rows.

    Parameters
    ----------
    arrays
        Two arrays by name, shapes (n, d_a) and (n, d_b).

    Returns
    -------
    list of Outcome
        In the order of the measures; a directed definition gives a→b and then b→a.
    """
    a, b = arrays
    found = {}
    for scaling, specs in by_scaling(measures).items():
        scores = compare(
            arrays,
            [(a, b)],
            specs,
            normalize=scaling,
            memory_bytes=memory_bytes,
            threads=threads,
            device=device,
            sweep=sweep,
        )
        for score in scores:
            measure = Measure(score.spec, scaling)
            found[measure, score.a] = Outcome(score.a, score.b, measure, score.scored, score.a == a)
    return list(_in_order(found, a, b, measures))


def _in_order(
    found: Mapping[tuple[Measure, str], Outcome], a: str, b: str, measures: Sequence[Measure]
) -> Iterator[Outcome]:
    for measure in measures:
        yield found[measure, a]
        if not measure.spec.definition_info.symmetric:
            yield found[measure, b]


def left_out(arrays: Mapping[str, Any], measures: Sequence[Measure]) -> list[str]:
    """Return one line for each array with rows that a scaling cannot be applied to."""
    lines = []
    for mode in by_scaling(measures):
        for name, array in arrays.items():
            matrix = as_matrix(array, name)
            refused = len(matrix) - int(scalable_rows(matrix, mode).sum())
            if refused:
                lines.append(f"{name}: {refusal(mode, refused, len(matrix))}: left out")
    return lines


def dimensions_of(
    name: str,
    array: Any,
    measures: Sequence[Measure],
    *,
    threads: int = 1,
    memory_bytes: int,
    device: str = "cpu",
) -> list[Outcome]:
    """Estimate the intrinsic dimension of an array, shape (n, d), by each measure."""
    summaries = summarize_scalings(
        array,
        by_scaling(measures),
        memory_bytes=memory_bytes,
        threads=threads,
        device=device,
        name=name,
    )
    found = {
        Measure(spec, scaling): scored
        for scaling, summary in summaries.items()
        for spec, scored in summary.intrinsic
    }
    return [Outcome(name, "", measure, found[measure]) for measure in measures]
