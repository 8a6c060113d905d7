"""HTTP as this project speaks it: repeated where that helps, explained where it does not."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from matteralign import __version__
from matteralign.core.errors import FetchError
from matteralign.sources.transfer.places import HUB, endpoint
from matteralign.sources.transfer.settings import Settings

TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105

_PASSING = (408, 425, 429, 500, 502, 503, 504)


def session(settings: Settings) -> requests.Session:
    """Return a session that asks again, with growing pauses, after what may pass.

    ``Retry-After`` is followed. A host that refuses the connection is asked twice only:
    without a network nobody wants to wait.
    """
    retry = Retry(
        total=4,
        connect=1,
        backoff_factor=settings.backoff,
        backoff_max=60,
        status_forcelist=_PASSING,
        allowed_methods={"GET", "HEAD"},
        raise_on_status=False,
    )
    made = requests.Session()
    made.headers["User-Agent"] = f"matteralign/{__version__}"
    # A compressed answer would announce the size of what is sent, not of the file.
    made.headers["Accept-Encoding"] = "identity"
    for scheme in ("http://", "https://"):
        made.mount(scheme, HTTPAdapter(max_retries=retry))
    return made


def headers_for(url: str) -> dict[str, str]:
    """Return the token of ``$HF_TOKEN`` for the hub, and nothing for any other host."""
    token = os.environ.get(TOKEN_VARIABLE)
    return {"Authorization": f"Bearer {token}"} if token and _on_hub(url) else {}


def size_of(url: str, settings: Settings) -> int | None:
    """Return the size that a server announces for a file, or None when it does not say."""
    try:
        with session(settings) as client:
            answer = client.head(url, headers=headers_for(url), timeout=10, allow_redirects=True)
    except requests.RequestException:
        return None
    length = answer.headers.get("Content-Length", "")
    return int(length) if answer.ok and length.isdigit() else None


def refuse_status(answer: requests.Response, url: str) -> None:
    """Raise for an answer that is none of success.

    Raises
    ------
    FetchError
        With the status; for a gated file with the page of its licence and the variable of the
        token.
    """
    if answer.ok:
        return
    message = f"download failed: the server answers {answer.status_code} {answer.reason}"
    if answer.status_code in (401, 403) and _on_hub(url):
        page = url.split("/resolve/", maxsplit=1)[0]
        held = "the token's account" if os.environ.get(TOKEN_VARIABLE) else "your account"
        message += (
            f". The file is gated or private: accept its licence at {page} with {held} and set "
            f"{TOKEN_VARIABLE} to a token of that account"
        )
    raise FetchError(message)


def reason(error: Exception) -> str:
    """Return the innermost cause of a network error in one short line."""
    cause: BaseException = error
    while True:
        args = [a for a in (*cause.args, getattr(cause, "reason", None)) if _is_error(a)]
        deeper = args[0] if args else cause.__cause__
        if deeper is None or deeper is cause:
            break
        cause = deeper
    text = " ".join(str(cause).split()) or type(cause).__name__
    host = getattr(getattr(error, "request", None), "url", None)
    return f"{text[:200]} ({urlsplit(host).netloc})" if host else text[:200]


def _is_error(value: object) -> bool:
    return isinstance(value, BaseException)


def _on_hub(url: str) -> bool:
    host = urlsplit(url).netloc
    return host in {urlsplit(HUB).netloc, urlsplit(endpoint()).netloc}
