"""A metric together with the scaling of the latents it is computed on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.core.hashing import canonical_json, sha256_json
from matteralign.metrics.base.specs import STATISTICS, MetricSpec, Scored

if TYPE_CHECKING:
    from matteralign.config.metrics import MetricRequest, Metrics
    from matteralign.core.scaling import Scaling

Row = dict[str, Any]
Kind = Literal["pair", "model"]


@dataclass(frozen=True)
class Measure:
    """One column of the comparison: metric, definition, parameters, scaling.

    Attributes
    ----------
    spec
        Metric, definition and parameters.
    scaling
        Scaling of a latent before comparison, one of `core.scaling.SCALINGS`.
    """

    spec: MetricSpec
    scaling: Scaling

    @property
    def params(self) -> str:
        """Parameters and scaling as canonical JSON: the column `params` of the tables."""
        return canonical_json({**self.spec.params, "normalize": self.scaling})

    def identity(self) -> Row:
        """Return what decides a value, besides the latents."""
        return {
            "metric": self.spec.metric,
            "definition": self.spec.definition,
            "params": self.params,
            "version": self.spec.info.version,
        }

    def key(self, latent_a: str, latent_b: str, *, statistics: bool = True) -> str:
        """Return the key of one directed score of two latents, given by their hashes.

        It changes exactly when the score may: with either latent, the definition, the
        parameters, the scaling, the metric's version, or with the wish for statistics.
        """
        return key_of(self.identity(), latent_a, latent_b, statistics=statistics)

    def row(self, scored: Scored, statistics: Sequence[str] = STATISTICS) -> Row:
        """Return the columns of what was computed and its result.

        Parameters
        ----------
        statistics
            Columns of its calibration to add.
        """
        return {
            "n": scored.n,
            "metric": self.spec.metric,
            "definition": self.spec.definition,
            "params": self.params,
            "value": scored.value,
            "status": scored.status,
            "reason": scored.reason,
            "note": scored.note,
            "metric_version": self.spec.info.version,
            **{name: getattr(scored, name) for name in statistics},
        }

    def __str__(self) -> str:
        return f"{self.spec} on {self.scaling}-scaled latents"


def key_of(identity: Mapping[str, Any], latent_a: str, latent_b: str, *, statistics: bool) -> str:
    """Return the key of one directed score, see `Measure.key`, of a `Measure.identity`."""
    return sha256_json([identity, latent_a, latent_b, statistics])


def measures_of(metrics: Metrics, kind: Kind) -> tuple[Measure, ...]:
    """Return the measures that a configuration asks for, one for each k of a list.

    Raises
    ------
    UserError
        If a metric, definition or parameter is not known, is of the other kind, or is asked
        for twice; one line with its place and the nearest match.
    """
    return measures_asked(getattr(metrics, kind), f"metrics.{kind}", kind, metrics.normalize)


def measures_asked(
    requests: Sequence[MetricRequest], place: str, kind: Kind, normalize: Scaling
) -> tuple[Measure, ...]:
    """Return the measures of some requests, one for each k of a list.

    Parameters
    ----------
    place
        Where they stand in the configuration, for messages.
    normalize
        Scaling where neither the request nor its definition names one.

    Raises
    ------
    UserError
        As `measures_of`.
    """
    measures: list[Measure] = []
    for position, request in enumerate(requests):
        where = f"{place}[{position}]"
        for params in _each_k(request.params, where):
            try:
                spec = MetricSpec(request.metric, request.definition, params)
            except MatterAlignError as error:
                raise UserError(f"{where}: {error}") from error
            if spec.info.kind != kind:
                raise UserError(f"{where}: {spec.metric} belongs under metrics.{spec.info.kind}")
            scaling = request.normalize or spec.definition_info.scaling or normalize
            measure = Measure(spec, scaling)
            if measure in measures:
                raise UserError(f"{where}: {measure} is already listed")
            measures.append(measure)
    return tuple(measures)


def _each_k(params: Mapping[str, Any], where: str) -> Iterator[dict[str, Any]]:
    for name, value in params.items():
        if isinstance(value, list) and (name != "k" or not value):
            wrong = "is an empty list" if name == "k" else "is a list; only k may be one"
            raise UserError(f"{where}: parameter {name} {wrong}")
    wanted = params.get("k")
    if isinstance(wanted, list):
        yield from ({**params, "k": k} for k in wanted)
    else:
        yield dict(params)


def by_scaling(measures: Iterable[Measure]) -> dict[Scaling, list[MetricSpec]]:
    """Group metrics by the scaling they share, in the order given."""
    groups: dict[Scaling, list[MetricSpec]] = {}
    for measure in measures:
        groups.setdefault(measure.scaling, []).append(measure.spec)
    return groups
