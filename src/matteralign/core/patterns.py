"""The forms that names, hashes and addresses must have, and each in words for a message."""

from __future__ import annotations

from collections.abc import Mapping

NAME = r"^[a-z0-9][a-z0-9\-]*$"
KEY = r"^[a-z0-9][a-z0-9.\-]*$"
SYMBOL = r"^[A-Z][a-z]?$"
SHA256 = r"^[0-9a-f]{64}$"
MD5 = r"^[0-9a-f]{32}$"
ADDRESS = r"^(https?|file)://"
REPOSITORY = r"^[\w.\-]+/[\w.\-]+$"
FILE_NAME = r"^[^/\\]*[^/\\.][^/\\]*$"
OWN_WORD = r"^own:.*\S"

_SMALL = "must be small letters a-z, digits and hyphens{}, the first a letter or digit, such as {}"

IN_WORDS: Mapping[str, str] = {
    NAME: _SMALL.format("", "qm9-demo"),
    KEY: _SMALL.format(" or dots", "chgnet-0.3.0"),
    SYMBOL: "must be the symbol of an element, such as Si",
    SHA256: "must be a SHA-256, 64 digits 0-9 and small letters a-f, as sha256sum prints it",
    MD5: "must be an MD5, 32 digits 0-9 and small letters a-f, as md5sum prints it",
    ADDRESS: "must begin with https://, http:// or file://, such as https://example.org/model.pt",
    REPOSITORY: "must be owner and name of a repository, such as facebook/esm2_t6_8M_UR50D",
    FILE_NAME: "must be the name of a file without a folder, such as model.pt",
    OWN_WORD: "must be a word of the list, or one of your own, such as own:our crystals",
}
