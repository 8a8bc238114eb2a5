"""Asking the issuer about reference tokens: RFC 7662, as the API itself (private_key_jwt), with a bounded cache.

An answer is kept for ``ttl`` seconds (5 by default, 0: never), and never beyond the token's ``exp``: that is how long a
revoked token may still pass. RFC 7662 section 4. Only the token's hash is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

import msgspec

from ostiary.errors import ConfigurationError, Unavailable, VerificationError
from ostiary.protocol import strict_json
from ostiary.resource_server.answer_cache import AnswerCache
from ostiary.resource_server.http import HttpRequest, HttpResponse
from ostiary.resource_server.keys import IssuerKeys
from ostiary.resource_server.needs import NeedIntrospection

DEFAULT_TTL = 5.0
DEFAULT_SIZE = 4096


class Introspected(msgspec.Struct, frozen=True):
    """The answer about one token; claims is None if it is not active."""

    claims: dict[str, object] | None


class Introspection:
    """The questions to one issuer. No I/O: ``ask`` is the steps of an exchange that a flight drives."""

    def __init__(
        self,
        source: IssuerKeys,
        clock: Callable[[], float],
        elapsed: Callable[[], float],
        *,
        ttl: float = DEFAULT_TTL,
        size: int = DEFAULT_SIZE,
    ) -> None:
        self._source = source
        self._clock = clock
        self._elapsed = elapsed
        self._ttl = ttl
        self._answers: AnswerCache[bytes, Introspected] = AnswerCache(size)

    def known(self, need: NeedIntrospection, instant: float) -> Introspected | None:
        """The kept answer, if there is one at ``instant`` (seconds of ``elapsed``)."""
        return self._answers.get(need.digest, instant)

    def ask(self, need: NeedIntrospection) -> Generator[HttpRequest, HttpResponse, Introspected]:
        """The steps of one question. Raises Unavailable for anything but a plain answer."""
        asked, instant = self._clock(), self._elapsed()
        config, metadata = self._source.config, self._source.metadata
        if metadata is None or metadata.introspection_endpoint is None:
            raise Unavailable("introspection", f"the metadata of {config.issuer} names no introspection_endpoint")
        form = {"token": need.token, "token_type_hint": "access_token", **config.authentication(asked)}
        response = yield HttpRequest(endpoint(self._source, metadata.introspection_endpoint), form)
        answer = _read(response)
        life = self._life(answer, asked)
        if life > 0:
            self._answers.add(need.digest, answer, instant + life)
        return answer

    def _life(self, answer: Introspected, asked: float) -> float:
        # RFC 7662 4: "the response MUST NOT be cached beyond the time indicated" in exp. Counted from the question, not
        # from the answer: what was revoked between the two must not live longer than the stated bound.
        expires = (answer.claims or {}).get("exp")
        return min(self._ttl, expires - asked) if isinstance(expires, int | float) else self._ttl


def endpoint(source: IssuerKeys, url: str) -> str:
    """``url`` of the issuer's metadata, as this host reaches it. Raises Unavailable if it must not be used."""
    try:
        return source.config.reached_at(url)
    except ConfigurationError as error:
        raise Unavailable("issuer", str(error)) from error


def _read(response: HttpResponse) -> Introspected:
    if response.status != 200:
        raise Unavailable("introspection", f"it answers {response.status}: {public_error(response)}")
    try:
        answer = strict_json.decode_object(response.body)
    except VerificationError as error:
        raise Unavailable("introspection", f"its answer is not usable: {error.seen}") from error
    active = answer.get("active")
    if not isinstance(active, bool):
        raise Unavailable("introspection", "its answer does not say whether the token is active")
    return Introspected(answer if active else None)


def public_error(response: HttpResponse) -> str:
    """The error code and description in ``response``, for a trace; empty if there is none."""
    try:
        members = strict_json.decode_object(response.body)
    except VerificationError:
        return ""
    return f"{members.get('error', '')} {members.get('error_description', '')}".strip()[:200]
