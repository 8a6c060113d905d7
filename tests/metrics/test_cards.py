"""Every card of a metric says all there is to say, and what it says can be used."""

from __future__ import annotations

import math

import pytest

from matteralign import metrics
from matteralign.core.scaling import SCALINGS
from matteralign.metrics import METRICS, DefinitionInfo, MetricInfo, MetricSpec
from matteralign.metrics.base.card import NeighbourLists, Ranks, Rows, Sums
from matteralign.report.citing.works import works

CARDS = list(METRICS.values())
DEFINITIONS = [(info, d) for info in CARDS for d in info.definitions.values()]


def named(value: object) -> str:
    return value.name if isinstance(value, MetricInfo | DefinitionInfo) else str(value)


@pytest.mark.parametrize("info", CARDS, ids=named)
def test_a_card_says_everything(info: MetricInfo) -> None:
    assert METRICS[info.name] is info
    assert info.kind in ("pair", "model")
    assert info.display_name.strip() and info.short_name.strip()
    assert len(info.short_name) <= len(info.display_name)
    assert info.version >= 1
    assert "O(N" in info.cost
    assert info.definitions
    assert info.directional == bool(info.direction)
    assert (info.no_better is None) == info.larger_is_closer
    assert (info.figure is None) == bool(info.no_figure), "a figure, or the reason for none"


def test_names_are_told_apart() -> None:
    for names in ([info.display_name for info in CARDS], [info.short_name for info in CARDS]):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("info", CARDS, ids=named)
def test_a_report_cites_it(info: MetricInfo) -> None:
    assert info.citation.text in {work.text for work in works(metrics=[info.name])}
    assert info.citation.url.startswith("https://")
    assert info.citation.use and info.citation.text
    links = [work.url for work in works(metrics=[other.name for other in CARDS])]
    assert len(set(links)) == len(links)


@pytest.mark.parametrize("info", CARDS, ids=named)
def test_its_function_is_public(info: MetricInfo) -> None:
    name = info.function.partition(":")[2]
    assert name in metrics.__all__
    function = getattr(metrics, name)
    assert callable(function)
    for section in ("Parameters\n", "Returns\n", "Raises\n"):
        assert section in function.__doc__


@pytest.mark.parametrize(("info", "definition"), DEFINITIONS, ids=named)
def test_a_definition_says_everything(info: MetricInfo, definition: DefinitionInfo) -> None:
    assert definition.summary and definition.source
    assert any(part.strip(".,;()").isdecimal() for part in definition.source.split()), "a year"
    low, high = definition.value_range
    assert low < high
    assert definition.invariances <= {"rotation", "scale", "translation", "permutation"}
    assert definition.min_n >= 2
    assert (definition.identical is None) == bool(definition.identical_words)
    assert definition.scaling is None or definition.scaling in SCALINGS
    assert callable(definition.load())
    if definition.identical is not None and math.isfinite(low) and math.isfinite(high):
        # Identical embeddings are as close as can be.
        assert definition.identical == (high if info.larger_is_closer else low)
    if info.diagonal is not None:
        assert definition.identical in (None, info.diagonal)
    if math.isinf(high) and info.kind == "pair" and info.larger_is_closer:
        # Values above 1 are explained, or known from the null alone.
        assert definition.above_one or isinstance(definition.reads, Rows)


@pytest.mark.parametrize(("info", "definition"), DEFINITIONS, ids=named)
def test_what_it_reads_follows_from_its_parameters(
    info: MetricInfo, definition: DefinitionInfo
) -> None:
    reads = definition.reads
    assert isinstance(reads, NeighbourLists | Ranks | Sums | Rows)
    spec = MetricSpec(info.name, definition.name)
    read = {kind: spec.neighbors_read(kind) for kind in ("euclid", "inner")}
    if not isinstance(reads, NeighbourLists | Ranks):
        assert read == {"euclid": 0, "inner": 0}
        return
    assert [kind for kind, k in read.items() if k] == [reads.kind]
    if isinstance(reads.length, str):
        assert definition.params[reads.length].low >= 1
        longer = MetricSpec(info.name, definition.name, {reads.length: 40})
        assert longer.neighbors_read(reads.kind) == 40
