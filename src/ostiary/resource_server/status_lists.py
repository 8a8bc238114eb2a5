"""Status lists of the issuers, for whoever chose ``revocation="status_list"``: draft-ietf-oauth-status-list-20, 8.3.

A list is fetched when the first token that refers to it comes, verified by the issuer's own keys, and kept as long as
it says itself (``ttl``, never beyond ``exp``), counted from the question: so long may a revoked token pass. Headers of
HTTP do not prolong that, nor shorten it. What cannot be fetched or verified admits nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final

import msgspec

from ostiary.errors import Unavailable, VerificationError
from ostiary.protocol import jws, status_list
from ostiary.protocol.checks import STATUS, shown
from ostiary.protocol.status_list import StatusList, StatusReference
from ostiary.resource_server.answer_cache import AnswerCache
from ostiary.resource_server.errors import REVOCATION
from ostiary.resource_server.http import HttpRequest, HttpResponse
from ostiary.resource_server.introspection import endpoint
from ostiary.resource_server.keys import IssuerKeys
from ostiary.resource_server.needs import NeedStatusList
from ostiary.resource_server.origins import origin_of, stands_at

KEPT: Final = 16
"""Lists that are kept of each issuer; the least recently used makes room. One inflates to a megabyte at the most."""
DEFAULT_LIFE: Final = 60.0
SHORTEST_LIFE: Final = 1.0
LONGEST_LIFE: Final = 3600.0
"""Seconds. "Clients SHOULD check that both values are within reasonable ranges" (section 11.5): a list is asked for
once a second at the most, and kept for an hour at the most, whatever it says."""
RETRY_INTERVAL: Final = 1.0


class FetchedList(msgspec.Struct, frozen=True):
    """A list as it came, taken apart, nothing verified. asked, instant: when it was asked for, by clock and elapsed."""

    parsed: jws.CompactJws
    asked: float
    instant: float


class StatusLists:
    """The lists of one issuer. No I/O: ``ask`` is the steps of an exchange that a flight drives."""

    def __init__(
        self, source: IssuerKeys, clock: Callable[[], float], elapsed: Callable[[], float], *, leeway: float
    ) -> None:
        self._source = source
        self._leeway = leeway
        self._clock = clock
        self._elapsed = elapsed
        self._lists: AnswerCache[str, StatusList] = AnswerCache(KEPT)
        self._failed: AnswerCache[str, str] = AnswerCache(KEPT)

    def known(self, need: NeedStatusList, instant: float) -> StatusList | None:
        """The list, if it is kept and still good at ``instant`` (seconds of ``elapsed``).

        Raises VerificationError if it may not be asked for at this address, Unavailable if that failed a moment ago.
        """
        found = self._lists.get(need.uri, instant)
        if found is None:
            self._check_address(need.uri)
            failure = self._failed.get(need.uri, instant)
            if failure is not None:
                raise Unavailable("status list", f"{failure}, a moment ago", retry_after=1)
        return found

    def ask(self, need: NeedStatusList) -> Generator[HttpRequest, HttpResponse, FetchedList]:
        """The steps of one question. Raises Unavailable for anything but a list."""
        asked, instant = self._clock(), self._elapsed()
        try:
            request = HttpRequest(endpoint(self._source, need.uri), accept=status_list.MEDIA_TYPE)
            return FetchedList(_parsed((yield request)), asked, instant)
        except Unavailable as error:
            raise self._failure(need, error.detail) from error

    def ready(self, need: NeedStatusList, fetched: FetchedList) -> StatusList:
        """The list: as somebody has just accepted it, or accepted now."""
        return self._lists.get(need.uri, fetched.instant) or self._accepted(need, fetched)

    def _accepted(self, need: NeedStatusList, fetched: FetchedList) -> StatusList:
        """The fetched list, if the issuer vouches for it. Raises Unavailable: else nothing is known of the token."""
        kid = fetched.parsed.header.kid or ""
        key = self._source.find(kid)
        if key is None:
            raise self._failure(need, f"it is signed by {shown(kid)}, no key of {need.issuer}")
        try:
            found = status_list.verify(
                fetched.parsed, key, issuer=need.issuer, uri=need.uri, now=fetched.asked, leeway=self._leeway
            )
        except VerificationError as error:
            raise self._failure(need, f"{error}: {error.seen} instead of {error.expected}") from error
        self._lists.add(need.uri, found, fetched.instant + _life(found, fetched.asked))
        return found

    def _failure(self, need: NeedStatusList, detail: str) -> Unavailable:
        detail = f"{shown(need.uri)}: {detail}"
        self._failed.add(need.uri, detail, self._elapsed() + RETRY_INTERVAL)
        return Unavailable("status list", detail)

    def _check_address(self, uri: str) -> None:
        """A token leads this API to no address but its issuer's, or one that its operator has named."""
        config = self._source.config
        origins = (origin_of(config.issuer), *config.status_list_origins)
        if not stands_at(uri, origins):
            raise VerificationError(
                STATUS,
                "its status list stands elsewhere",
                seen=shown(uri),
                expected=" or ".join(origins),
                mend="if the issuer keeps its lists there: IssuerConfig(status_list_origins=[...])",
            )


def check_status(found: StatusList, reference: StatusReference) -> None:
    """Raises VerificationError unless the list calls the token valid. "Suspended" and what else there may be is not."""
    status = found.status(reference.idx)
    if status != status_list.VALID:
        raise VerificationError(
            REVOCATION,
            "token revoked" if status == status_list.INVALID else "token not valid",
            seen=f"status {status} in {shown(reference.uri)}",
            expected="status 0",
            mend="get a new token",
        )


def reference_of(claims: object) -> StatusReference:
    """Where the token with these verified claims says that its status stands. Raises VerificationError if nowhere."""
    found = status_list.reference(claims) if isinstance(claims, dict) else None
    if found is None:
        raise VerificationError(
            STATUS,
            "nothing tells of its revocation",
            seen="no status",
            expected="a place in a status list",
            mend="let the issuer put the tokens for this API into status lists (ostiary api change IDENTIFIER "
            "--status-list), or choose another revocation= for it",
        )
    return found


def _parsed(response: HttpResponse) -> jws.CompactJws:
    # Redirects are not followed ("follow redirects carefully"): they lead where a token must not lead this API.
    if response.status != 200:
        raise Unavailable("status list", f"it answers {response.status}")
    content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != status_list.MEDIA_TYPE:
        raise Unavailable("status list", f"it answers {content_type[:100] or 'no type'}")
    try:
        return jws.parse(response.body.strip(), max_length=status_list.MAX_TOKEN_LENGTH)
    except VerificationError as error:
        raise Unavailable("status list", f"its answer is not usable: {error.seen}") from error


def _life(found: StatusList, asked: float) -> float:
    """Seconds from the question on. RPs "MUST prioritize the exp and ttl claims ... over the HTTP headers" (8.2)."""
    life = min(max(found.ttl or DEFAULT_LIFE, SHORTEST_LIFE), LONGEST_LIFE)
    return life if found.exp is None else min(life, max(found.exp - asked, 0.0))
