"""A reader of a real server's revocation feed, in a thread: it verifies, checks each step and keeps what came."""

from __future__ import annotations

import http.client
import json
import queue
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode, urlsplit

from ostiary.protocol import client_assertion, jws, revocation_feed
from ostiary.protocol.jwk import parse_public_keys
from ostiary.protocol.revocation_feed import Known, Message, check_progress
from tests.real.served import Served

SECONDS = 30.0


class FeedReader:
    """One answer, over a connection of its own. known: where it stands; a message that does not follow is a ``fault``.

    seen: the positions of every row that came. complete: whether the answer came to its proper end.
    """

    def __init__(self, served: Served, url: str, known: Known, parameters: dict[str, str]) -> None:
        self.served = served
        self.known = known
        self.status = 0
        self.headers: dict[str, str] = {}
        self.error = ""
        self.secret = ""
        self.seen: list[int] = []
        self.fault: Exception | None = None
        self.complete = False
        self._nonce = secrets.token_urlsafe(16)
        self._messages: queue.Queue[Message | None] = queue.Queue()
        self._keys = {key.kid: key for key in parse_public_keys(_got(served, "/jwks"))}
        place = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=SECONDS)
        self._connection.connect()
        self._form = {
            "nonce": self._nonce,
            "client_assertion_type": client_assertion.ASSERTION_TYPE,
            "client_assertion": served.api_assertion(),
        } | parameters
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def next(self) -> Message:
        """The next message. Raises AssertionError if the answer has ended, queue.Empty if none comes."""
        message = self._messages.get(timeout=SECONDS)
        assert message is not None, f"{self.status} {self.error} {self.fault!r}"
        return message

    def until(self, position: int) -> list[Message]:
        """The messages up to the one that reaches ``position``."""
        found = [self.next()]
        while found[-1].end < position:
            found.append(self.next())
        return found

    def until_it_ends(self) -> None:
        """Raises queue.Empty if it does not."""
        while self._messages.get(timeout=SECONDS) is not None:
            pass

    def applied(self, position: int) -> int:
        """Say so; the status of the answer."""
        return self.served.ask("/revocations/applied", {"reader": self.secret, "position": f"{position}"}).status_code

    def close(self) -> None:
        """Hang up."""
        if isinstance(self._connection.sock, socket.socket):
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(SECONDS)
        self._connection.close()

    def _follow(self) -> None:
        try:
            self._read()
        except Exception as error:
            self.fault = error  # every test that goes on reading is told it
        finally:
            self._messages.put(None)

    def _read(self) -> None:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        self._connection.request("POST", "/revocations", urlencode(self._form), headers)
        # http.client lets go of the socket of an answer without a length.
        kept, response = self._connection.sock, self._connection.getresponse()
        self._connection.sock = kept
        self.status, self.headers = response.status, {name.lower(): value for name, value in response.getheaders()}
        if self.status != 200:
            self.error = str(json.loads(response.read())["error"])
            return
        text = b""
        # ``readline`` would take an answer that was cut off for one that has ended.
        while piece := response.read1():
            *events, text = (text + piece).split(b"\n\n")
            for event in events:
                self._take(event.decode().removeprefix("data: "))
        self.complete = True

    def _take(self, text: str) -> None:
        parsed = jws.parse(text, max_length=revocation_feed.MAX_LENGTH)
        key = self._keys[str(parsed.header.kid)]
        message = revocation_feed.verify(parsed, key, issuer=self.served.issuer)
        self.known = check_progress(self.known, message, nonce=None if self.secret else self._nonce)
        self.secret = self.secret or str(message.reader)
        self.seen += [row.position for row in message.rows]
        self._messages.put(message)


def _got(served: Served, path: str) -> bytes:
    with served.http() as client:
        return client.get(path).content


@contextmanager
def feed_reader(
    served: Served, known: Known | None = None, *, url: str = "", after: str = "0", installation: str = ""
) -> Iterator[FeedReader]:
    """A reader that has begun; known: from before; url: of a proxy before the server."""
    parameters = {"after": after} | ({"installation": installation} if installation else {})
    reader = FeedReader(served, url or served.url, known or Known(), parameters)
    try:
        yield reader
    finally:
        reader.close()
