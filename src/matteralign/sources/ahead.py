"""A stream that a thread unpacks ahead of its reader.

The codecs of the standard library work outside of the interpreter's lock, so a second core
unpacks while the first looks at what is there.
"""

from __future__ import annotations

from queue import Full, Queue
from threading import Event, Thread
from typing import Protocol

_BLOCK = 1 << 20
_AHEAD = 8  # blocks


class Closable(Protocol):
    """An object that bytes can be read from and that can be closed."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes."""

    def close(self) -> None:
        """Close it."""


class Ahead:
    """The bytes of a stream in their order; its errors are raised where their bytes would be.

    Parameters
    ----------
    stream
        What is read; it belongs to the thread from here on, and is closed at the end.
    """

    def __init__(self, stream: Closable) -> None:
        self._stream = stream
        self._blocks: Queue[bytes | BaseException] = Queue(_AHEAD)
        self._stopped = Event()
        self._block, self._at = b"", 0
        self._ended = False
        self._thread = Thread(target=self._fill, daemon=True)
        self._thread.start()

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, none at the end; the whole rest for -1."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_BLOCK), b""))
        if self._at == len(self._block) and not self._ended:
            found = self._blocks.get()
            if isinstance(found, BaseException):
                self._ended, self._block, self._at = True, b"", 0
                raise found
            self._ended = not found
            self._block, self._at = found, 0
        start = self._at
        self._at = min(start + size, len(self._block))
        return self._block[start : self._at]

    def _fill(self) -> None:
        try:
            while block := self._stream.read(_BLOCK):
                if not self._give(block):
                    return
            self._give(b"")
        except BaseException as error:  # noqa: BLE001  # raised by `read`, which waits for it
            self._give(error)

    def _give(self, item: bytes | BaseException) -> bool:
        """Hand something over; return whether anyone still wants it."""
        while not self._stopped.is_set():
            try:
                self._blocks.put(item, timeout=0.1)
            except Full:
                continue
            return True
        return False

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._stream.close()
