"""The keys of clients that sign their requests themselves, asked of the key store by (client, kid).

An answer is kept for ``ttl`` seconds (30 by default): that is how long a retired key may still pass here. So may a
revoked one where no revocation feed is followed; where it is, what it names is forgotten and asked for anew. That a
client has no such key is kept for 10 seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import msgspec

from ostiary.errors import Unavailable, VerificationError
from ostiary.protocol import jwk, strict_json
from ostiary.protocol.revocation_feed import Row
from ostiary.resource_server.answer_cache import AnswerCache
from ostiary.resource_server.http import HttpRequest, HttpResponse
from ostiary.resource_server.introspection import endpoint, public_error
from ostiary.resource_server.keys import IssuerKeys
from ostiary.resource_server.needs import ClientKeyFound, NeedClientKey

DEFAULT_TTL = 30.0
ABSENT_TTL = 10.0
DEFAULT_SIZE = 4096


class Looked(msgspec.Struct, frozen=True):
    """The outcome of one look-up; found is None if the client has no such key."""

    found: ClientKeyFound | None


class ClientKeys:
    """Look-ups at one issuer's key store. No I/O: ``ask`` is the steps of an exchange that a flight drives."""

    def __init__(
        self,
        source: IssuerKeys,
        audience: str,
        clock: Callable[[], float],
        elapsed: Callable[[], float],
        *,
        ttl: float = DEFAULT_TTL,
        size: int = DEFAULT_SIZE,
    ) -> None:
        self._source = source
        self._audience = audience
        self._clock = clock
        self._elapsed = elapsed
        self._ttl = ttl
        # Absent keys are cheap to invent: they have their own memory, so that they cannot push real ones out.
        self._present: AnswerCache[NeedClientKey, Looked] = AnswerCache(size)
        self._absent: AnswerCache[NeedClientKey, Looked] = AnswerCache(size)
        self.generation = 0

    def known(self, need: NeedClientKey, instant: float) -> Looked | None:
        """The kept outcome, if there is one at ``instant`` (seconds of ``elapsed``)."""
        return self._present.get(need, instant) or self._absent.get(need, instant)

    def forget(self, rows: Sequence[Row]) -> None:
        """Forget the keys of which ``rows`` of the revocation feed say that they, their clients, or all have ended."""
        clients = {row.value for row in rows if row.kind == "client"}
        thumbprints = {row.value for row in rows if row.kind == "client_key"}
        everything = any(row.kind == "installation" for row in rows)
        if not (clients or thumbprints or everything):
            return
        # What is being asked now may have been answered before: it is not kept, and whoever comes later asks anew.
        self.generation += 1
        self._present.discard(
            lambda need, looked: (
                everything
                or need.client_id in clients
                or (looked.found is not None and looked.found.key.thumbprint in thumbprints)
            )
        )

    def ask(self, need: NeedClientKey) -> Generator[HttpRequest, HttpResponse, Looked]:
        """The steps of one look-up. Raises Unavailable for anything but a plain answer."""
        asked, instant, generation = self._clock(), self._elapsed(), self.generation
        config, metadata = self._source.config, self._source.metadata
        if metadata is None or metadata.ostiary_client_keys_endpoint is None:
            raise Unavailable("key store", f"the metadata of {config.issuer} names no ostiary_client_keys_endpoint")
        form = {"client": need.client_id, "kid": need.kid, **config.authentication(asked)}
        response = yield HttpRequest(endpoint(self._source, metadata.ostiary_client_keys_endpoint), form)
        looked = Looked(_read(response, need, self._audience))
        if looked.found is None:
            self._absent.add(need, looked, instant + min(ABSENT_TTL, self._ttl))
        else:
            self._present.add(need, looked, instant + min(self._ttl, looked.found.expires_at - asked))
            if generation != self.generation:
                self._present.discard(lambda kept, _: kept == need)
        return looked


def _read(response: HttpResponse, need: NeedClientKey, audience: str) -> ClientKeyFound | None:
    if response.status == 404:
        return None
    if response.status != 200:
        raise Unavailable("key store", f"it answers {response.status}: {public_error(response)}")
    try:
        answer = strict_json.decode_object(response.body)
        keys = jwk.parse_public_keys(response.body, skip_unusable=True)
    except VerificationError as error:
        raise Unavailable("key store", f"its answer is not usable: {error.seen}") from error
    # The answer must be about the client that was asked for: a key of another one proves nothing.
    if answer.get("client_id") != need.client_id:
        raise Unavailable("key store", "its answer is about another client")
    for key in keys:
        if key.kid == need.kid:
            return ClientKeyFound(need.client_id, key, _scopes(answer, audience), _end(answer, need.kid))
    return None


def _scopes(answer: dict[str, object], audience: str) -> frozenset[str]:
    """What the key store allows the client at this API; nothing where it does not say."""
    by_api = answer.get("scopes")
    named = by_api.get(audience) if isinstance(by_api, dict) else None
    return frozenset(scope for scope in named if isinstance(scope, str)) if isinstance(named, list) else frozenset()


def _end(answer: dict[str, object], kid: str) -> float:
    """When the key ends, seconds since the epoch: the member ``exp`` of its JWK."""
    keys = answer["keys"]
    for key in keys if isinstance(keys, list) else []:
        if isinstance(key, dict) and key.get("kid") == kid and isinstance(key.get("exp"), int | float):
            return float(key["exp"])
    return float("inf")
