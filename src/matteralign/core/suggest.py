"""Nearest-match messages for mistyped names."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from matteralign.core.errors import UserError


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name closest to `name`, or None when nothing is near."""
    by_folded = {k.casefold(): k for k in known}
    hits = difflib.get_close_matches(name.casefold(), list(by_folded), n=1, cutoff=0.5)
    return by_folded[hits[0]] if hits else None


def require_known(kind: str, name: str, known: Collection[str], where: str = "") -> None:
    """Raise UserError unless `name` is a known `kind`, with the nearest that is.

    Parameters
    ----------
    where
        What comes before the message.
    """
    if name not in known:
        raise UserError(where + unknown(kind, name, known))


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return one line that says `name` is not a known `kind` and offers the nearest match.

    Examples
    --------
    >>> unknown("slice", "qm9-dmeo", ["qm9-demo", "qm9-50k"])
    "unknown slice 'qm9-dmeo': did you mean 'qm9-demo'?"
    """
    names = sorted(known)
    guess = nearest(name, names)
    if guess is not None:
        return f"unknown {kind} {name!r}: did you mean {guess!r}?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"unknown {kind} {name!r}: known are {shown or 'none'}"
