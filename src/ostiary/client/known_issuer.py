"""An issuer as a client knows it: its metadata and its keys, kept for an hour (RFC 8414, RFC 7517)."""

from __future__ import annotations

from ostiary.client import answers
from ostiary.client.assertion import Clock
from ostiary.client.discovery import discover, endpoint
from ostiary.client.exchange import Exchange, Question
from ostiary.errors import VerificationError
from ostiary.protocol import jwk
from ostiary.protocol.checks import KEY, shown
from ostiary.protocol.jwk import VerificationKey
from ostiary.protocol.metadata import AuthorizationServerMetadata

LIFE = 3600.0
UNKNOWN_KID_INTERVAL = 10.0


class KnownIssuer:
    """Remembers what ``issuer`` said of itself; each method is an exchange without I/O.

    Every exchange raises VerificationError, Unavailable or ConfigurationError. clock: seconds since the epoch.
    """

    def __init__(self, issuer: str, clock: Clock) -> None:
        self.issuer = issuer
        self._clock = clock
        self._metadata: tuple[float, AuthorizationServerMetadata] | None = None
        self._keys: tuple[float, dict[str, VerificationKey]] | None = None

    def metadata(self) -> Exchange[AuthorizationServerMetadata]:
        """The issuer's metadata, at most an hour old."""
        now = self._clock()
        if self._metadata is None or not 0 <= now - self._metadata[0] < LIFE:
            self._metadata = (now, (yield from discover(self.issuer)))
        return self._metadata[1]

    def key(self, kid: str | None) -> Exchange[VerificationKey]:
        """The issuer's present key named ``kid``; an unknown name asks anew, but not more than once in 10 seconds."""
        now = self._clock()
        age = None if self._keys is None else now - self._keys[0]
        known = {} if self._keys is None else self._keys[1]
        if age is None or not 0 <= age < LIFE or (kid not in known and age >= UNKNOWN_KID_INTERVAL):
            known = yield from self._fetch()
            self._keys = (now, known)
        if kid is None or kid not in known:
            raise VerificationError(
                KEY, "unknown key", seen=shown(kid), expected=f"a present key of {self.issuer}", mend="start again"
            )
        return known[kid]

    def _fetch(self) -> Exchange[dict[str, VerificationKey]]:
        metadata = yield from self.metadata()
        question = Question(endpoint(metadata, "jwks_uri"), "keys of the authorization server")
        answer = yield question
        answers.require_success(question, answer)
        return {key.kid: key for key in jwk.parse_public_keys(answer.body, skip_unusable=True)}
