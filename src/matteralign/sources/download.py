"""Files that their authors serve over HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import requests

from matteralign.core.errors import FetchError
from matteralign.sources.progress import DownloadLines

TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105
_TOKEN_HOST = "huggingface.co"  # noqa: S105


def download(url: str, target: Path, report: Callable[[str], None]) -> None:
    """Write what `url` serves to `target`.

    The token of ``$HF_TOKEN`` goes to Hugging Face and to no other host.

    Raises
    ------
    FetchError
        If the server cannot be reached, refuses, or sends fewer bytes than it announced.
    """
    name = urlsplit(url).path.rsplit("/", 1)[-1]
    # Compressed answers announce the size of what is sent, not of the file.
    headers = {"Accept-Encoding": "identity"}
    token = os.environ.get(TOKEN_VARIABLE)
    if token and urlsplit(url).hostname == _TOKEN_HOST:
        headers["Authorization"] = f"Bearer {token}"
    try:
        with requests.get(url, stream=True, timeout=60, headers=headers) as answer:
            answer.raise_for_status()
            size = int(answer.headers.get("Content-Length", 0))
            report(f"fetching {name} ({size / 1e6:.0f} MB)")
            bar = DownloadLines(name, report)
            bar.total = size
            with open(target, "wb") as out:
                for block in answer.iter_content(1 << 20):
                    out.write(block)
                    bar.update(len(block))
    except (requests.RequestException, OSError) as error:
        raise FetchError(f"download failed: {error}") from error
    if size and target.stat().st_size != size:
        raise FetchError(f"{target.stat().st_size} bytes came of {size}")
