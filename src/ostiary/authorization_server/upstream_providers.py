"""The OpenID Providers that we are a client of: their metadata and keys, fetched and kept for a while.

OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3.3, OpenID Connect Core 10.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from ostiary.errors import OstiaryError, Unavailable, VerificationError
from ostiary.fetching.guarded import Content, Fetched
from ostiary.protocol import jwk, metadata, strict_json
from ostiary.protocol.checks import ALGORITHM, KEY, shown
from ostiary.protocol.jwk import VerificationKey
from ostiary.protocol.jws import Header
from ostiary.protocol.metadata import AuthorizationServerMetadata
from ostiary.settings.upstream import UpstreamSettings

PURPOSE: Final = "upstream"
KEPT: Final = 3600
"""Seconds."""

ASKED_AGAIN_AFTER: Final = 60
"""Seconds: how often a kid that nobody knows may have the keys fetched again."""


class Fetcher(Protocol):
    """The guarded fetcher."""

    async def fetch(
        self,
        url: str,
        *,
        purpose: str,
        form: Mapping[str, str] | None = None,
        content: Content | None = None,
        authorization: str = "",
        method: str = "",
    ) -> Fetched: ...


class UpstreamProviders:
    """What is known of the providers. clock: seconds since the epoch."""

    def __init__(self, fetcher: Fetcher, clock: Callable[[], float]) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._metadata: dict[str, tuple[float, AuthorizationServerMetadata]] = {}
        self._keys: dict[str, tuple[float, list[dict[str, object]]]] = {}

    async def metadata(self, settings: UpstreamSettings) -> AuthorizationServerMetadata:
        """Its metadata. Raises VerificationError: it speaks for another issuer (RFC 8414 3.3); Unavailable."""
        at, known = self._metadata.get(settings.issuer, (0.0, None))
        if known is not None and self._clock() < at + KEPT:
            return known
        url = metadata.well_known_urls(settings.issuer).openid
        document = metadata.parse_authorization_server(await self._document(url), settings.issuer)
        self._metadata[settings.issuer] = (self._clock(), document)
        return document

    async def key(self, settings: UpstreamSettings, header: Header) -> VerificationKey:
        """The key that ``header`` names, for its algorithm, which must be one of those that the settings allow.

        Raises VerificationError: another algorithm, no such key, or one that is unfit; Unavailable.
        """
        if header.alg not in settings.algorithms:
            raise VerificationError(
                ALGORITHM,
                "algorithm not allowed",
                seen=shown(header.alg),
                expected=" ".join(settings.algorithms),
                mend="have the provider sign with one of the upstream's algorithms, or add it to them",
            )
        at, keys = self._keys.get(settings.issuer, (0.0, []))
        found = _named(keys, header)
        age = self._clock() - at
        if age >= KEPT or (not found and age >= ASKED_AGAIN_AFTER):
            keys = await self._fetch_keys(settings)
            found = _named(keys, header)
        if len(found) != 1:
            raise VerificationError(
                KEY, "unknown key", seen=f"kid {shown(header.kid)}", expected="one key of the provider's JWKS"
            )
        # "Each key MUST be used for one algorithm": where the JWK names none, the header's, which is on the list.
        return jwk.parse_public_key(strict_json.encode({"alg": header.alg, **found[0]}))

    async def ask(self, url: str, *, form: Mapping[str, str] | None = None, authorization: str = "") -> Fetched:
        """What the provider answers. Raises Unavailable: it does not, or breaks a rule of the fetcher."""
        try:
            return await self._fetcher.fetch(url, purpose=PURPOSE, form=form, authorization=authorization)
        except OstiaryError as error:
            raise Unavailable("upstream", str(error)) from None

    async def call(
        self, url: str, members: dict[str, object] | None = None, *, authorization: str, method: str = ""
    ) -> Fetched:
        """What the provider answers to ``members`` as JSON; without any, to GET. Raises Unavailable."""
        content = None if members is None else Content(strict_json.encode(members), "application/json")
        try:
            return await self._fetcher.fetch(
                url, purpose=PURPOSE, content=content, authorization=authorization, method=method
            )
        except OstiaryError as error:
            raise Unavailable("upstream", str(error)) from None

    async def _document(self, url: str) -> bytes:
        answer = await self.ask(url)
        if answer.status != 200:
            raise Unavailable("upstream", f"{url} answered {answer.status}")
        return answer.body

    async def _fetch_keys(self, settings: UpstreamSettings) -> list[dict[str, object]]:
        url = (await self.metadata(settings)).jwks_uri
        if url is None:
            raise Unavailable("upstream", f"the metadata of {settings.issuer} names no jwks_uri")
        listed = strict_json.decode_object(await self._document(url)).get("keys")
        keys = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        self._keys[settings.issuer] = (self._clock(), keys[: jwk.MAX_KEYS])
        return keys[: jwk.MAX_KEYS]


def _named(keys: list[dict[str, object]], header: Header) -> list[dict[str, object]]:
    """The keys for signatures that are called so; where the token names none, all of them (one must be left)."""
    return [
        one for one in keys if one.get("use", "sig") == "sig" and (header.kid is None or one.get("kid") == header.kid)
    ]
