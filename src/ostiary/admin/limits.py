"""What the settings of the installation allow an operator to register: lives of tokens, addresses of published keys."""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.errors import ConfigurationError
from ostiary.fetching.refusal import FetchRefused
from ostiary.fetching.target import parse_target
from ostiary.settings import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    """default_life, max_life: seconds, of an access token; allow_http: whether keys may be published by plain http.

    max_concurrency: requests of one client at once, where its registration does not say. dev: under ``ostiary dev``.
    """

    default_life: int
    max_life: int
    allow_http: bool = False
    max_concurrency: int = 64
    dev: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits in ``settings``."""
        return cls(
            settings.tokens.default_life,
            settings.tokens.max_life,
            settings.fetching.allow_http,
            settings.server.max_concurrency_per_client,
            settings.dev,
        )

    def check_life(self, seconds: int | None) -> None:
        """Raises ConfigurationError if an access token may not live that long; None is for the default."""
        if seconds is not None and seconds > self.max_life:
            raise ConfigurationError(
                f"a token life of {seconds} s is longer than tokens.max_life ({self.max_life} s): choose a shorter one"
            )

    def check_jwks_uri(self, url: str | None) -> None:
        """Raises ConfigurationError for an address that the guarded fetcher would refuse before it looks a name up."""
        if url is None:
            return
        try:
            parse_target(url, allow_http=self.allow_http)
        except FetchRefused as error:
            raise ConfigurationError(f"jwks_uri: {error}") from None
