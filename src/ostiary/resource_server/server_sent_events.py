"""Takes a stream of server-sent events apart: HTML, section 9.2.6, of which the field ``data`` alone matters here."""

from __future__ import annotations

from collections.abc import Iterator

from ostiary.errors import Unavailable


class Events:
    """The events of one answer, as its octets come. max_length: octets of one event, its lines included."""

    def __init__(self, max_length: int) -> None:
        self._max_length = max_length
        self._rest = bytearray()
        self._searched = 0
        self._lines: list[bytes] = []
        self._length = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The content of each event that ``chunk`` completes. Raises Unavailable for one that is too long."""
        self._rest += chunk
        begin = 0
        while (end := self._rest.find(b"\n", max(begin, self._searched))) >= 0:
            line = bytes(self._rest[begin:end]).removesuffix(b"\r")
            begin = end + 1
            if line:
                self._take(line)
            elif self._lines:
                yield b"\n".join(self._lines)
                self._lines, self._length = [], 0
        del self._rest[:begin]
        self._searched = len(self._rest)
        self._check(len(self._rest))

    def _take(self, line: bytes) -> None:
        # "If the line starts with a U+003A COLON character (:) Ignore the line."; so are the fields event, id, retry.
        name, _, value = line.partition(b":")
        if name == b"data":
            self._lines.append(value.removeprefix(b" "))
            self._length += len(line)
            self._check(0)

    def _check(self, unfinished: int) -> None:
        if self._length + unfinished > self._max_length:
            raise Unavailable("revocation feed", f"an event of more than {self._max_length} octets")
