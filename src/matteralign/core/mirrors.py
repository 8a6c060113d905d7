"""Mirrors: other places where the same files lie, such as a lab's shared folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

MIRRORS_VARIABLE = "MATTERALIGN_MIRRORS"

_ADDRESS = re.compile(r"(https?|file)://\S+")


@dataclass(frozen=True)
class Mirror:
    """One mirror.

    Attributes
    ----------
    base
        Address that files lie below, ending with a slash.
    prefix
        Beginning of the addresses that the mirror holds, replaced by `base`; None: the mirror
        holds files of any address.
    """

    base: str
    prefix: str | None = None

    def addresses(self, url: str | None, name: str, sha256: str | None) -> list[str]:
        """Return where a file may lie on this mirror.

        Parameters
        ----------
        url
            Address at its authors, or None.
        name, sha256
            Name of the file and its hash, or None where that is not known.
        """
        if self.prefix is not None:
            fits = url is not None and url.startswith(self.prefix)
            return [self.base + url[len(self.prefix) :]] if fits and url is not None else []
        found = []
        if sha256 is not None:
            # As another machine's cache has it, or all in one folder: the hash tells files of
            # one name apart.
            found = [f"{self.base}files/{sha256[:2]}/{sha256}/{name}", self.base + name]
        if url is not None:
            parts = urlsplit(url)
            found.append(f"{self.base}{parts.netloc}{parts.path}")
        return found


def parse_mirror(text: str) -> Mirror:
    """Read ``BASE`` or ``PREFIX=BASE``.

    `BASE` is an address (``https://``, ``http://``, ``file://``) or the absolute path of a
    folder; `PREFIX` the beginning of the addresses it stands for.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> parse_mirror("https://a.org/data/=file:///mirror/a").base
    'file:///mirror/a/'
    """
    prefix, base = None, text.strip()
    if re.match(r"https?://[^=\s]+=(https?://|file://|/|~)", base):
        prefix, base = base.split("=", 1)
    if base.startswith(("/", "~")):
        base = Path(base).expanduser().as_uri()
    if not _ADDRESS.fullmatch(base):
        raise ValueError(
            f"mirror {text!r} is neither an address (https://, http://, file://), nor the absolute "
            "path of a folder, nor PREFIX=ADDRESS"
        )
    return Mirror(base.rstrip("/") + "/", prefix)
