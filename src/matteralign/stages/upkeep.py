"""The ledger of a slice is kept small: scores that nothing can ask for again are dropped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

from matteralign.core.errors import IntegrityError
from matteralign.metrics.base.registry import METRICS
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.measure import key_of
from matteralign.store.latents import read_sidecar
from matteralign.store.ledger import Ledger

_IDENTITY = ("metric", "definition", "params")


def drop_stale(ledger: Ledger, layout: Layout, asked: int, report: Callable[[str], None]) -> None:
    """Rewrite a slice's ledger where more than half of it is of no use any more.

    Of use is every score by today's version of its metric of two latents that lie in the
    slice's folder, whether their models are on the panel and the metric in the configuration
    or not: either may come back.

    Parameters
    ----------
    asked
        Scores of the panel; they are in the ledger, so a ledger of fewer than twice as many
        is not looked at.
    report
        Called with one line when something was dropped, or when a sidecar cannot be read: then
        nothing is dropped.
    """
    if ledger.written <= 2 * asked:
        return
    try:
        found = sorted(layout.latent("x").parent.glob("*.json"))
        latents = {str(read_sidecar(path.with_suffix(".npy"))["sha256"]) for path in found}
    except IntegrityError as error:
        report(f"{ledger.path}: not shortened: {error}")
        return
    useful = _useful(ledger, latents)
    if ledger.written <= 2 * len(useful):
        return
    dropped = ledger.compact(useful)
    report(f"{ledger.path}: {dropped:,} scores of earlier latents or versions dropped")


def _useful(ledger: Ledger, latents: set[str]) -> set[str]:
    """Return the keys in the ledger that a score of these latents has today."""
    kinds = {
        (*(str(entry[name]) for name in _IDENTITY), int(entry["metric_version"]))
        for entry in ledger.entries().values()
        if _of_today(entry)
    }
    keys: set[str] = set()
    for metric, definition, params, version in kinds:
        identity = {
            "metric": metric, "definition": definition, "params": params, "version": version
        }  # fmt: skip
        for a, b in product(latents, repeat=2):
            keys |= {key_of(identity, a, b, statistics=wanted) for wanted in (True, False)}
    return keys & set(ledger.entries())


def _of_today(entry: Mapping[str, Any]) -> bool:
    info = METRICS.get(str(entry.get("metric")))
    return info is not None and entry.get("metric_version") == info.version
