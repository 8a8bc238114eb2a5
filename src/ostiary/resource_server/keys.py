"""An issuer's keys: fetched, renewed before they are stale, kept through an outage for a stated time (RFC 8414, 7517).

The life of one fetch::

    fetched_at ──── renew_at ──── fresh_until ──── usable_until
        use the keys │ renew in the │ ask first; if the │ refuse with 503
                     │ background   │ issuer is out,    │ until it answers
                     │              │ use what we have  │

``fresh_until`` follows Cache-Control within bounds; ``usable_until`` is ``keep_keys_for`` after the fetch. All times
are seconds of ``elapsed``, which no setting of the clock makes younger.

An unknown ``kid`` asks anew at once, but not sooner than 5, then 10, then 15 s after the one before it that did, as
long as asking brings nothing new. So forged kids make us knock at the issuer's door five times in their first minute
and four times in each one after, and however many come, a key that is really new is known by the first token that
names it 15 s after its publication, at the latest.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from ostiary.errors import ConfigurationError, Unavailable, VerificationError
from ostiary.protocol import jwk, metadata
from ostiary.protocol.jwk import VerificationKey
from ostiary.protocol.metadata import AuthorizationServerMetadata
from ostiary.resource_server.fork_safe import HeldAtFork
from ostiary.resource_server.http import HttpRequest, HttpResponse
from ostiary.resource_server.issuer import IssuerConfig

SHORTEST_LIFE = 30.0
LONGEST_LIFE = 3600.0
DEFAULT_LIFE = 300.0
UNKNOWN_KID_INTERVAL = 5.0
LONGEST_UNKNOWN_KID_INTERVAL = 15.0
RETRY_INTERVAL = 5.0
_RENEW_AFTER = 0.8
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?([0-9]{1,9})", re.IGNORECASE)


class Next(Enum):
    """What has to happen before a key can be told."""

    USE = "use"
    RENEW = "use, and renew in the background"
    ASK = "fetch first; what we have will do if that fails"
    FETCH = "fetch first"
    UNKNOWN = "there is none such, and it is too early to ask again"


@dataclass(frozen=True, slots=True)
class _Fetched:
    keys: Mapping[str, VerificationKey] = field(default_factory=dict)
    metadata: AuthorizationServerMetadata | None = None
    renew_at: float = float("-inf")
    fresh_until: float = float("-inf")
    usable_until: float = float("-inf")


class IssuerKeys:
    """The keys and the metadata of one issuer. No I/O: ``fetch`` is the steps of an exchange that a flight drives."""

    def __init__(self, config: IssuerConfig, elapsed: Callable[[], float]) -> None:
        self.config = config
        self.issuer = config.issuer
        self._elapsed = elapsed
        self._state = _Fetched()
        self._lock = threading.Lock()
        self._held_at_fork = HeldAtFork(self._lock)
        self._retry_at = float("-inf")
        self._unknown_from = float("-inf")
        self._fruitless = 0
        self._failed = False

    @property
    def metadata(self) -> AuthorizationServerMetadata | None:
        """What the issuer said of itself when last asked; None before the first answer."""
        return self._state.metadata

    def trusted(self, key: VerificationKey, instant: float) -> bool:
        """Whether ``key`` is one of the issuer's present keys and nothing is due. The hot path: no lock, no I/O."""
        state = self._state
        return instant < state.renew_at and state.keys.get(key.kid) is key

    def ready(self, kid: str, instant: float) -> VerificationKey | None:
        """The key named ``kid``, if nothing is due. The hot path: no lock, no I/O."""
        state = self._state
        return state.keys.get(kid) if instant < state.renew_at else None

    def find(self, kid: str) -> VerificationKey | None:
        """The key named ``kid``, if it may still be used."""
        state = self._state
        return state.keys.get(kid) if self._elapsed() < state.usable_until else None

    def plan(self, kid: str | None) -> Next:
        """What to do about ``kid`` (None: about the metadata alone). Raises Unavailable where only a fetch could help
        and the last one has just failed."""
        state, now = self._state, self._elapsed()
        if now >= state.usable_until:
            self._refuse_if_just_failed(now)
            return Next.FETCH
        if kid is None or kid in state.keys:
            if now < state.renew_at or now < self._retry_at:
                return Next.USE
            return Next.RENEW if now < state.fresh_until else Next.ASK
        with self._lock:
            if now >= self._unknown_from:
                self._unknown_from = now + min(UNKNOWN_KID_INTERVAL * 2**self._fruitless, LONGEST_UNKNOWN_KID_INTERVAL)
                return Next.FETCH
        if self._failed:
            raise Unavailable("issuer", f"{self.issuer} could not be asked about an unknown kid", retry_after=5)
        return Next.UNKNOWN

    def fetch(self) -> Generator[HttpRequest, HttpResponse, None]:
        """The steps of one fetch: metadata, then keys. Raises Unavailable; what was known before stays then."""
        # A second request must not begin the same at once, whatever becomes of this one.
        self._retry_at = self._elapsed() + RETRY_INTERVAL
        try:
            found = yield from self._metadata()
            keys, life = yield from self._keys(found)
        except Unavailable:
            self._note_failure()
            raise
        except (VerificationError, ConfigurationError) as error:
            self._note_failure()
            detail = f"; {error.seen} instead of {error.expected}" if isinstance(error, VerificationError) else ""
            raise Unavailable("issuer", f"{self.issuer}: {error}{detail}") from error
        self._replace(found, keys, life)

    def _replace(self, found: AuthorizationServerMetadata, keys: dict[str, VerificationKey], life: float) -> None:
        now = self._elapsed()
        life = min(life, self.config.keep_keys_for)
        old = self._state.keys
        kept = {kid: old[kid] if old.get(kid) == key else key for kid, key in keys.items()}
        self._state = _Fetched(
            kept, found, now + _RENEW_AFTER * life, now + life, now + max(life, self.config.keep_keys_for)
        )
        self._failed = False
        if kept.keys() - old.keys():
            # An issuer that is changing its keys may have more to come.
            self._fruitless = 0
            self._unknown_from = min(self._unknown_from, now + UNKNOWN_KID_INTERVAL)
        else:
            self._fruitless = min(self._fruitless + 1, 8)

    def _note_failure(self) -> None:
        self._failed = True
        self._fruitless = min(self._fruitless + 1, 8)

    def hold(self, keys: Iterable[VerificationKey]) -> None:
        """Trust exactly ``keys``, for good, and never ask: for tests without a network."""
        forever = float("inf")
        self._state = _Fetched({key.kid: key for key in keys}, None, forever, forever, forever)
        self._unknown_from = forever

    def _refuse_if_just_failed(self, now: float) -> None:
        if self._failed and now < self._retry_at:
            raise Unavailable("issuer", f"{self.issuer} did not answer a moment ago", retry_after=int(RETRY_INTERVAL))

    def _metadata(self) -> Generator[HttpRequest, HttpResponse, AuthorizationServerMetadata]:
        for url in self.config.metadata_urls():
            response = yield HttpRequest(url)
            if response.status == 200:
                # RFC 8414 3.3: the issuer in it "MUST be identical"; else "the data (...) MUST NOT be used".
                return metadata.parse_authorization_server(response.body, self.issuer)
            if response.status != 404:
                break
        raise Unavailable("issuer", f"the metadata of {self.issuer} answers {response.status}")

    def _keys(
        self, found: AuthorizationServerMetadata
    ) -> Generator[HttpRequest, HttpResponse, tuple[dict[str, VerificationKey], float]]:
        if found.jwks_uri is None:
            raise Unavailable("issuer", f"the metadata of {self.issuer} names no jwks_uri")
        response = yield HttpRequest(self.config.reached_at(found.jwks_uri))
        if response.status != 200:
            raise Unavailable("issuer", f"the keys of {self.issuer} answer {response.status}")
        keys = jwk.parse_public_keys(response.body, skip_unusable=True)
        allowed = {key.kid: key for key in keys if key.alg in self.config.algorithms}
        return allowed, _life(response.headers.get("cache-control", ""))


def _life(cache_control: str) -> float:
    if "no-store" in cache_control or "no-cache" in cache_control:
        return SHORTEST_LIFE
    match = _MAX_AGE.search(cache_control)
    return min(max(float(match[1]), SHORTEST_LIFE), LONGEST_LIFE) if match else DEFAULT_LIFE
