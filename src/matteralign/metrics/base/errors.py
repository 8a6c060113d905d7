"""Errors of the metric engine."""

from __future__ import annotations

from matteralign.core.errors import MatterAlignError, UserError


class MetricInputError(MatterAlignError, ValueError):
    """An array or argument that no metric can accept; names it and the offending row."""


class NotApplicable(MetricInputError):  # noqa: N818 - an outcome, not a fault
    """Sound input for which this metric has no value (constant embedding, k >= n, ...).

    `compare` and `summarize` turn it into a result with status ``not_applicable`` and
    this message as its reason; the plain functions let it rise.
    """


class MetricSpecError(UserError, ValueError):
    """An unknown metric, definition or parameter, or a parameter out of its range."""
