"""Keys by reference: what a client publishes at its ``jwks_uri``, cached, for that client alone (RFC 7517 section 5).

Kept as long as the answer's Cache-Control says, within a minute and an hour; asked for again on an unknown kid, at most
once a minute; kept through an outage for an hour beyond that. A document with a private key or a shared secret is
refused whole and what was known before is forgotten, because its owner has disclosed a key. Keys of a kind that we do
not take are passed over. A fetched key claims nothing: it is found through its client only, so that publishing another
client's key neither locks that client out nor proves the publisher to be it.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from ostiary.errors import Unavailable, VerificationError
from ostiary.fetching.guarded import Fetched
from ostiary.fetching.refusal import FetchRefused
from ostiary.model.client import Client
from ostiary.protocol.checks import KEY, Note, shown
from ostiary.protocol.jwk import VerificationKey, parse_public_keys

MIN_LIFE: Final = 60
MAX_LIFE: Final = 3600
DEFAULT_LIFE: Final = 300
UNKNOWN_KID_INTERVAL: Final = 60
RETRY_INTERVAL: Final = 10
OUTAGE: Final = 3600
MAX_DOCUMENTS: Final = 2048
PURPOSE: Final = "client_keys"

_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=\"?(\d{1,9})", re.IGNORECASE)
_NO_KEEPING = re.compile(r"(?:^|[,\s])(?:no-store|no-cache)(?:$|[,\s=])", re.IGNORECASE)


class Fetcher(Protocol):
    """What gets a document; ``fetching.guarded.GuardedFetcher``."""

    async def fetch(self, url: str, *, purpose: str) -> Fetched: ...


@dataclass(frozen=True, slots=True)
class _Document:
    """What is known of one URL; all times in seconds since the epoch.

    keys: None if there was no good answer yet; fault: why the last attempt failed, None if it did not.
    """

    keys: tuple[VerificationKey, ...] | None
    fresh_until: float
    attempted_at: float
    fault: Unavailable | VerificationError | None = None


class PublishedKeys:
    """The published keys of all clients, in one process."""

    def __init__(self, fetcher: Fetcher, clock: Callable[[], float]) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._documents: OrderedDict[str, _Document] = OrderedDict()
        self._in_flight: dict[str, asyncio.Task[_Document]] = {}

    async def find(self, client: Client, kid: str | None, *, note: Note | None = None) -> list[VerificationKey]:
        """The keys that ``client`` publishes under ``kid``, all of them if it is None; none if it publishes nowhere.

        Raises Unavailable: there was no answer and nothing is kept. Raises VerificationError("key"): the document, or
        the place where it stands, is refused.
        """
        if client.jwks_uri is None:
            return []
        document = self._documents.get(client.jwks_uri)
        if document is None or self._wants_renewal(document, kid):
            document = await self._renewed(client.jwks_uri)
        keys = self._usable(document)
        if note is not None:
            note("published_keys", f"{len(keys)} keys", shown(client.jwks_uri))
        return [key for key in keys if kid is None or key.kid == kid]

    def _wants_renewal(self, document: _Document, kid: str | None) -> bool:
        since = self._clock() - document.attempted_at
        if document.fault is not None:
            return since >= RETRY_INTERVAL
        if self._clock() >= document.fresh_until:
            return True
        unknown = kid is not None and all(key.kid != kid for key in document.keys or ())
        return unknown and since >= UNKNOWN_KID_INTERVAL

    def _usable(self, document: _Document) -> tuple[VerificationKey, ...]:
        if document.fault is None and document.keys is not None:
            return document.keys
        kept = isinstance(document.fault, Unavailable) and self._clock() < document.fresh_until + OUTAGE
        if document.keys is not None and kept:
            return document.keys
        raise document.fault or Unavailable("client keys", "nothing was fetched")

    async def _renewed(self, url: str) -> _Document:
        task = self._in_flight.get(url)
        if task is None:
            task = asyncio.create_task(self._renew(url))
            self._in_flight[url] = task
            task.add_done_callback(lambda _: self._in_flight.pop(url, None))
        # One caller that goes away must not take the fetch from the others.
        return await asyncio.shield(task)

    async def _renew(self, url: str) -> _Document:
        before = self._documents.get(url)
        try:
            answer = await self._fetcher.fetch(url, purpose=PURPOSE)
            document = self._parsed(answer)
        except (FetchRefused, VerificationError) as error:
            document = _Document(None, 0, self._clock(), _refusal(error))
        except Unavailable as fault:
            known = before or _Document(None, 0, 0)
            document = replace(known, attempted_at=self._clock(), fault=fault)
        self._documents[url] = document
        self._documents.move_to_end(url)
        if len(self._documents) > MAX_DOCUMENTS:
            self._documents.popitem(last=False)
        return document

    def _parsed(self, answer: Fetched) -> _Document:
        if answer.status != 200:
            raise Unavailable("client keys", f"the answer of the jwks_uri has the status {answer.status}")
        keys = parse_public_keys(answer.body, skip_unusable=True)
        now = self._clock()
        return _Document(tuple(keys), now + _life(answer.headers.get("cache-control", "")), now)


def _life(cache_control: str) -> int:
    if _NO_KEEPING.search(cache_control):
        return MIN_LIFE
    match = _MAX_AGE.search(cache_control)
    return DEFAULT_LIFE if match is None else min(max(int(match[1]), MIN_LIFE), MAX_LIFE)


def _refusal(error: FetchRefused | VerificationError) -> VerificationError:
    if isinstance(error, VerificationError):
        return VerificationError(
            KEY, "the published keys are unusable", seen=error.seen, expected=error.expected, mend=error.mend
        )
    return VerificationError(
        KEY, "the published keys are unusable", seen=error.reason, expected="a public https URL", mend=error.mend
    )
