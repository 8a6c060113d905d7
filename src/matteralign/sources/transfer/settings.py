"""How this machine fetches: read from the environment, so that every job of a run agrees."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from matteralign.core.errors import UserError
from matteralign.core.mirrors import MIRRORS_VARIABLE, Mirror, parse_mirror

OFFLINE_VARIABLE = "MATTERALIGN_OFFLINE"
BACKOFF_VARIABLE = "MATTERALIGN_BACKOFF"
TIMEOUT_VARIABLE = "MATTERALIGN_TIMEOUT"

_FALSE = {"", "0", "false", "no", "off"}


@dataclass(frozen=True)
class Settings:
    """What the environment says about fetching.

    Attributes
    ----------
    offline
        Never touch the network: ``$MATTERALIGN_OFFLINE``.
    mirrors
        Asked before a file's own sources: ``$MATTERALIGN_MIRRORS``, parted by spaces.
    backoff
        Seconds before the first repetition; each further one waits twice as long:
        ``$MATTERALIGN_BACKOFF``.
    timeout
        Seconds without a byte after which a connection counts as broken:
        ``$MATTERALIGN_TIMEOUT``.
    """

    offline: bool = False
    mirrors: tuple[Mirror, ...] = ()
    backoff: float = 1.0
    timeout: float = 60.0


def settings() -> Settings:
    """Return the settings of this process.

    Raises
    ------
    UserError
        If a variable cannot be read.
    """
    try:
        mirrors = tuple(parse_mirror(m) for m in os.environ.get(MIRRORS_VARIABLE, "").split())
    except ValueError as error:
        raise UserError(f"${MIRRORS_VARIABLE}: {error}") from error
    return Settings(
        offline=os.environ.get(OFFLINE_VARIABLE, "").strip().lower() not in _FALSE,
        mirrors=mirrors,
        backoff=_seconds(BACKOFF_VARIABLE, Settings.backoff),
        timeout=_seconds(TIMEOUT_VARIABLE, Settings.timeout),
    )


def use_mirrors(mirrors: Iterable[str]) -> None:
    """Add a configuration's mirrors behind those of the environment."""
    known = os.environ.get(MIRRORS_VARIABLE, "").split()
    found = dict.fromkeys([*known, *mirrors])
    if found:
        os.environ[MIRRORS_VARIABLE] = " ".join(found)


def go_offline() -> None:
    """Fetch nothing over the network in this process and those it starts."""
    os.environ[OFFLINE_VARIABLE] = "1"


def _seconds(variable: str, default: float) -> float:
    text = os.environ.get(variable)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError as error:
        raise UserError(f"${variable}: {text!r} is no number of seconds") from error
    if not 0 <= value < 86_400:
        raise UserError(f"${variable}: {text!r} is not between 0 and 86400 seconds")
    return value
