"""A metric together with the scaling of the latents it is computed on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matteralign.core.hashing import canonical_json, sha256_json
from matteralign.metrics.specs import MetricSpec, Scored

if TYPE_CHECKING:
    from matteralign.metrics.scaling import NormalizeMode

Row = dict[str, Any]

# Inner products of unscaled rows make the longest vectors everyone's neighbours, so the
# released implementation of Huh et al. is used as they use it: on unit rows.
_OF_THE_SOURCE: dict[tuple[str, str], NormalizeMode] = {("cknna", "huh2024"): "l2"}


@dataclass(frozen=True)
class Measure:
    """One column of the comparison: metric, definition, parameters, scaling.

    Attributes
    ----------
    spec
        Metric, definition and parameters.
    normalize
        Scaling of a latent before comparison: ``max``, ``l2`` or ``none``.
    """

    spec: MetricSpec
    normalize: NormalizeMode

    @property
    def params(self) -> str:
        """Parameters and scaling as canonical JSON: the column `params` of the tables."""
        return canonical_json({**self.spec.params, "normalize": self.normalize})

    def identity(self) -> Row:
        """Return what decides a value beside the latents."""
        return {
            "metric": self.spec.metric,
            "definition": self.spec.definition,
            "params": self.params,
            "version": self.spec.info.version,
        }

    def key(self, latent_a: str, latent_b: str) -> str:
        """Return the key of one directed score of two latents, given by their hashes.

        It changes exactly when the score may: with either latent, the definition, the
        parameters, the scaling or the metric's version.
        """
        return sha256_json([self.identity(), latent_a, latent_b])

    def outcome(self, scored: Scored) -> Row:
        """Return the columns that say what was computed and what came out."""
        return {
            "n": scored.n,
            "metric": self.spec.metric,
            "definition": self.spec.definition,
            "params": self.params,
            "value": scored.value,
            "status": scored.status,
            "reason": scored.reason,
            "metric_version": self.spec.info.version,
        }

    def __str__(self) -> str:
        return f"{self.spec} on {self.normalize}-scaled latents"


def source_scaling(spec: MetricSpec) -> NormalizeMode | None:
    """Return the scaling that a definition's source prescribes, or None."""
    return _OF_THE_SOURCE.get((spec.metric, spec.definition))


def by_scaling(measures: Iterable[Measure]) -> dict[NormalizeMode, list[MetricSpec]]:
    """Group metrics by the scaling they share, in the order given."""
    groups: dict[NormalizeMode, list[MetricSpec]] = {}
    for measure in measures:
        groups.setdefault(measure.normalize, []).append(measure.spec)
    return groups


def statistics(scored: Scored) -> Row:
    """Return the columns of calibration."""
    return {
        "debiased": scored.debiased,
        "null_mean": scored.null_mean,
        "null_sd": scored.null_sd,
        "null_p": scored.null_p,
        "ci_low": scored.ci_low,
        "ci_high": scored.ci_high,
    }
