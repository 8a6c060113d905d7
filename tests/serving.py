"""A real HTTP server on loopback that serves files, and misbehaves when a test asks for it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Served:
    """One file and how it is served.

    `faults` are used up, one for each GET: ``break N`` closes the connection after N bytes,
    ``stall N`` goes silent after them, ``status CODE`` answers that, ``wrong`` sends other bytes
    of the same length, ``whole`` ignores the range.
    """

    body: bytes
    etag: str | None = "auto"
    modified: str | None = None
    ranges: bool = True
    obeys_if_range: bool = True
    pause: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def tag(self) -> str | None:
        if self.etag == "auto":
            return f'"{hashlib.md5(self.body).hexdigest()}"'  # as many servers do
        return self.etag


@dataclass
class Request:
    method: str
    path: str
    headers: Message
    sent: int = 0

    @property
    def start(self) -> int:
        """First byte that was asked for."""
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])


class Server(ThreadingHTTPServer):
    """The server: `files` by path, `redirects` from path to address."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, Served] = {}
        self.redirects: dict[str, str] = {}
        self.requests: list[Request] = []

    def address(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.server_port}{path}"

    def put(self, path: str, body: bytes, **how: object) -> str:
        """Serve a file and return its address."""
        self.files[path] = Served(body, **how)  # type: ignore[arg-type]
        return self.address(path)

    def gets(self, path: str | None = None) -> list[Request]:
        return [r for r in self.requests if r.method == "GET" and path in (None, r.path)]

    def handle_error(self, *_: object) -> None:
        return  # a client that goes away is part of the tests


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        request = Request(self.command, self.path, self.headers)
        self.server.requests.append(request)
        if self.path in self.server.redirects:
            self._head(302, {"Location": self.server.redirects[self.path], "Content-Length": "0"})
            return
        served = self.server.files.get(self.path)
        if served is None:
            self._head(404, {"Content-Length": "0"})
            return
        fault = served.faults.pop(0) if with_body and served.faults else ""
        kind, _, amount = fault.partition(" ")
        if kind == "status":
            self._head(int(amount), {"Content-Length": "0", "Retry-After": "0"})
            return
        body = bytes(b ^ 0xFF for b in served.body) if kind == "wrong" else served.body
        self._send(request, served, body, kind, int(amount or 0), with_body)

    def _send(
        self, request: Request, served: Served, body: bytes, kind: str, amount: int, with_body: bool
    ) -> None:
        headers = dict(served.headers)
        tag = served.tag()
        if tag:
            headers["ETag"] = tag
        if served.modified:
            headers["Last-Modified"] = served.modified
        start, status = 0, 200
        if served.ranges and kind != "whole" and "Range" in self.headers:
            condition = self.headers.get("If-Range")
            same = condition is None or condition in (tag, served.modified)
            if same or not served.obeys_if_range:
                start, status = request.start, 206
        if start >= len(body) and status == 206:
            self._head(416, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"})
            return
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        rest = body[start:]
        self._head(status, {"Content-Length": str(len(rest))} | headers)
        if not with_body:
            return
        end = amount if kind in ("break", "stall") else len(rest)
        for at in range(0, end, 1 << 14):
            block = rest[at : min(at + (1 << 14), end)]
            self.wfile.write(block)
            request.sent += len(block)
            time.sleep(served.pause)
        if kind == "stall":
            time.sleep(2)
        if kind in ("break", "stall"):
            self.close_connection = True

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """Start a server, with an empty cache and no mirrors, token or proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "hf_token", "hf_endpoint"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("MATTERALIGN_MIRRORS", "MATTERALIGN_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MATTERALIGN_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("MATTERALIGN_BACKOFF", "0.01")
    made = Server()
    threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()
