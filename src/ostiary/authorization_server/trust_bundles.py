"""The keys of other SPIFFE trust domains, each from where the operator says and from nowhere else.

draft-ietf-oauth-spiffe-client-auth section 5: a bundle "cannot be derived from the JWT-SVID and X509-SVID and MUST be
configured manually out of band", "keyed by the trust domain identifier". A file is read again when it changed. What a
URL gave is kept as long as its refresh hint says, within bounds, and an hour longer if it cannot be had.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ostiary.authorization_server.published_keys import (
    DEFAULT_LIFE,
    MAX_LIFE,
    MIN_LIFE,
    OUTAGE,
    RETRY_INTERVAL,
    UNKNOWN_KID_INTERVAL,
    Fetcher,
)
from ostiary.errors import Unavailable, VerificationError
from ostiary.fetching.refusal import FetchRefused
from ostiary.protocol import spiffe_bundle
from ostiary.protocol.jwk import MAX_DOCUMENT_BYTES, VerificationKey
from ostiary.settings.spiffe import BundleSettings

PURPOSE: Final = "spiffe_bundle"
PART: Final = "trust bundle"

log = logging.getLogger(__name__)
Keys = tuple[VerificationKey, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """Of one trust domain; times in seconds since the epoch. version: of its file."""

    keys: Keys | None = None
    fresh_until: float = 0
    attempted_at: float = 0
    version: tuple[int, int] = (0, 0)


class TrustBundles:
    """The bundles of the settings, in one process."""

    def __init__(self, bundles: Mapping[str, BundleSettings], fetcher: Fetcher, clock: Callable[[], float]) -> None:
        self._bundles = bundles
        self._fetcher = fetcher
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def jwt_keys(self, trust_domain: str, kid: str | None) -> Keys:
        """The keys of JWT-SVIDs of ``trust_domain``; none if nobody configured it. kid: the one that is looked for.

        Raises Unavailable: its bundle cannot be had, or is none.
        """
        configured = self._bundles.get(trust_domain)
        if configured is None:
            return ()
        if configured.file is not None:
            return self._of_file(trust_domain, configured.file)
        async with self._locks.setdefault(trust_domain, asyncio.Lock()):
            known = self._known.get(trust_domain, _Known())
            if self._is_due(known, kid):
                known = self._known[trust_domain] = await self._fetched(trust_domain, str(configured.url), known)
        if known.keys is None or self._clock() >= known.fresh_until + OUTAGE:
            raise Unavailable(PART, f"the bundle of {trust_domain} cannot be had", retry_after=RETRY_INTERVAL)
        return known.keys

    def _is_due(self, known: _Known, kid: str | None) -> bool:
        since = self._clock() - known.attempted_at
        if self._clock() >= known.fresh_until:
            return since >= RETRY_INTERVAL
        unknown = kid is not None and all(key.kid != kid for key in known.keys or ())
        return unknown and since >= UNKNOWN_KID_INTERVAL

    async def _fetched(self, trust_domain: str, url: str, before: _Known) -> _Known:
        now = self._clock()
        try:
            answer = await self._fetcher.fetch(url, purpose=PURPOSE)
            if answer.status != 200:
                raise Unavailable(PART, f"the answer has the status {answer.status}")
            bundle = spiffe_bundle.parse(answer.body)
        except (FetchRefused, Unavailable, VerificationError) as error:
            log.error("the bundle of the trust domain %s cannot be had: %s", trust_domain, error)
            return _Known(before.keys, before.fresh_until, now)
        life = min(max(bundle.refresh_hint or DEFAULT_LIFE, MIN_LIFE), MAX_LIFE)
        return _Known(bundle.jwt_keys, now + life, now)

    def _of_file(self, trust_domain: str, path: Path) -> Keys:
        try:
            status = path.stat()
            version = (status.st_mtime_ns, status.st_size)
            known = self._known.get(trust_domain)
            if known is None or known.version != version or known.keys is None:
                with path.open("rb") as file:
                    keys = spiffe_bundle.parse(file.read(MAX_DOCUMENT_BYTES + 1)).jwt_keys
                known = self._known[trust_domain] = _Known(keys, version=version)
        except (OSError, VerificationError) as error:
            log.error("the bundle of the trust domain %s in %s is unusable: %s", trust_domain, path, error)
            raise Unavailable(PART, f"the file {path} is unusable") from None
        return known.keys or ()
