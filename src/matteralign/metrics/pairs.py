"""All requested scores of all requested pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from matteralign.core.scaling import Scaling
from matteralign.core.suggest import unknown
from matteralign.metrics.base.errors import MetricInputError, MetricSpecError
from matteralign.metrics.base.inputs import ArrayLike, BoolArray, require_same_rows
from matteralign.metrics.base.resources import DEFAULT_MEMORY_BYTES, Progress, Resources
from matteralign.metrics.base.specs import MetricSpec, PairScore
from matteralign.metrics.embedding.embedding import RowSource, open_embedding
from matteralign.metrics.engine import Engine, Options
from matteralign.metrics.tiles.backend import open_backend
from matteralign.metrics.tiles.neighbors import DOUBLE_ROWS, Neighbors
from matteralign.metrics.tiles.streaming import PassState

Precision = Literal["auto", "single", "double"]
_PRECISIONS = ("auto", "single", "double")


def compare(
    embeddings: Mapping[str, Annotated[ArrayLike | RowSource, "n d_m"]],
    pairs: Sequence[tuple[str, str]],
    specs: Sequence[MetricSpec],
    *,
    valid: Mapping[str, Annotated[BoolArray, "n"]] | None = None,
    neighbors: Mapping[str, Neighbors] | None = None,
    normalize: Scaling = "none",
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    threads: int = 1,
    statistics: bool = True,
    sweep: bool = False,
    precision: Precision = "auto",
    device: str = "cpu",
    progress: Progress | None = None,
    pass_state: PassState | None = None,
) -> Iterator[PairScore]:
    """Score pairs of embeddings of the same rows.

    Arguments are checked on the call; scores come pair by pair as the result is iterated.

    Parameters
    ----------
    embeddings : mapping of str to array_like, torch.Tensor or RowSource, shapes (n, d_m)
        Every embedding by name, all on the same n rows, in any order; only a sweep, which
        takes leading rows, needs a random one. Objects with a
        shape, a dtype and row slices are read block by block, so that embeddings on disk
        need not fit into memory.
    pairs : sequence of (str, str)
        Names of two different embeddings; (a, b) and (b, a) are the same pair, scored once.
    specs : sequence of MetricSpec
        Pair metrics.
    valid : mapping of str to ndarray of bool, shape (n,), optional
        Rows that an embedding has; the others may hold anything. A pair is scored on the
        rows that both have.
    neighbors : mapping of str to Neighbors, optional
        From `summarize` on the same arrays. Missing or too short ones are computed.
    normalize : Scaling
        Scaling of every embedding, over its own valid rows, see `normalize`. Rows that it
        cannot be applied to are left out of the pairs of that embedding.
    memory_bytes : int
        Bound on what is held beside the arguments and the neighbour lists.
    threads : int
        Threads of the compiled loops and matrix products.
    statistics : bool
        Add the null and the intervals.
    sweep : bool
        Add the value on the leading 1/16, 1/8, 1/4 and 1/2 of the rows.
    precision : {"auto", "single", "double"}
        Of the tiles of the pass; neighbour lists are exact in either. ``auto`` is double up
        to 4,096 rows. In single precision dCor and CKA are off by less than 1e-6 and an
        information imbalance takes distances that differ by less than rounding as equal.
    device : str
        Where tiles are made: ``cpu``; ``cuda`` or ``cuda:1``, through torch; ``auto``, cuda
        where there is one; ``torch``, torch on the CPU. Neighbour lists are the same on all.
        The rest agrees with ``cpu`` within the error of the precision: 1e-6 for dCor and CKA
        in single, 1e-10 in double. `memory_bytes` bounds the tiles there as well.
    progress : callable, optional
        Told the share of the pass over all tiles that is done.
    pass_state : PassState, optional
        Keeps the state of the pass, which continues from it when called again with the same
        arguments.

    Returns
    -------
    iterator of PairScore
        For every pair (a, b) and spec first a->b, then b->a. Symmetric definitions are
        computed once and repeated. A pair that cannot be scored has status
        ``not_applicable`` and a reason.

    Raises
    ------
    MetricInputError
        An array refused by `as_matrix`, different numbers of rows, neighbours of another
        n, an unknown or repeated name in a pair, a bound or number of threads below 1, an
        unknown device or one that is not there.
    MetricSpecError
        A spec that is not a pair metric, an unknown scaling or precision.
    """
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    _check(names, embeddings, pairs, specs, precision)
    resources = Resources(memory_bytes, threads, open_backend(device), progress)
    masks = valid or {}
    opened = {
        name: open_embedding(embeddings[name], name, valid=masks.get(name), mode=normalize)
        for name in names
    }
    for name in names[1:]:
        require_same_rows(opened[names[0]].n, opened[name].n, names[0], name)
    given = neighbors or {}
    if isinstance(given, dict):
        # Lists that are read when asked for are checked then.
        for name in opened.keys() & given.keys():
            given[name].check(name, opened[name].n)
    rows = opened[names[0]].n if names else 0
    double = precision == "double" or (precision == "auto" and rows <= DOUBLE_ROWS)
    options = Options(resources, statistics, sweep, double, pass_state)
    unordered = {frozenset(pair): pair for pair in reversed(pairs)}
    ordered = [pair for pair in dict.fromkeys(pairs) if unordered[frozenset(pair)] == pair]
    distinct = list(dict.fromkeys(specs))
    return _scores(Engine(opened, ordered, distinct, given, options), ordered, distinct)


def _check(
    names: Sequence[str],
    embeddings: Mapping[str, ArrayLike | RowSource],
    pairs: Sequence[tuple[str, str]],
    specs: Sequence[MetricSpec],
    precision: str,
) -> None:
    for name in names:
        if name not in embeddings:
            raise MetricInputError(unknown("embedding", name, embeddings))
    for a, b in pairs:
        if a == b:
            raise MetricInputError(f"pair ({a!r}, {b!r}) compares an embedding with itself")
    for spec in specs:
        if spec.info.kind != "pair":
            raise MetricSpecError(f"{spec} scores one embedding; use summarize")
    if precision not in _PRECISIONS:
        raise MetricSpecError(unknown("precision", precision, _PRECISIONS))


def _scores(
    engine: Engine, pairs: Sequence[tuple[str, str]], specs: Sequence[MetricSpec]
) -> Iterator[PairScore]:
    for a, b in pairs:
        for spec in specs:
            forward, backward = engine.score(a, b, spec)
            yield PairScore(a, b, spec, forward)
            yield PairScore(b, a, spec, backward)
        engine.done_with(a, b)
