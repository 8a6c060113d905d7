"""From outcomes of the metric room to rows of the tables, and the keys that identify them."""

from __future__ import annotations

from typing import Any

from matteralign.core.hashing import canonical_json, sha256_json
from matteralign.metrics import MetricSpec, Scored

Row = dict[str, Any]


def params_text(spec: MetricSpec, normalize: str) -> str:
    """Return a spec's parameters, and the scaling of the latents, as canonical JSON."""
    return canonical_json({**spec.params, "normalize": normalize})


def pair_key(spec: MetricSpec, normalize: str, latent_a: str, latent_b: str) -> str:
    """Return the key of one directed score.

    It changes exactly when the score may: with either latent, the metric's definition,
    parameters or version, or the scaling.
    """
    return sha256_json(
        [
            spec.metric,
            spec.definition,
            params_text(spec, normalize),
            spec.info.version,
            latent_a,
            latent_b,
        ]
    )


def outcome(spec: MetricSpec, normalize: str, scored: Scored) -> Row:
    """Return the columns that say what was computed and what came out."""
    return {
        "n": scored.n,
        "metric": spec.metric,
        "definition": spec.definition,
        "params": params_text(spec, normalize),
        "value": scored.value,
        "status": scored.status,
        "reason": scored.reason,
        "metric_version": spec.info.version,
    }


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
