"""What an application holds of one signed-in user: the tokens of one grant, and what the ID token said."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from ostiary.client.token_request import AccessToken
from ostiary.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTokens:
    """Tokens of one user, from one issuer, for one client. The representation shows none of them.

    asked_scope: what was asked for, to ask for it again; the granted one may be less.
    resource: the API that the access token is for, None where none was named; scope: what was granted.
    claims: of the ID token, verified; empty where the scope ``openid`` was not asked for.
    id_token: as it came, for ``Application.sign_out_url``.
    """

    issuer: str
    client_id: str
    scope: str
    access: AccessToken
    asked_scope: str = ""
    resource: str | None = None
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    claims: Mapping[str, object] = field(default_factory=dict)

    @property
    def subject(self) -> str | None:
        """Who the user is at ``issuer``, for good: ``sub``. The two together name them, an address does not."""
        subject = self.claims.get("sub")
        return subject if isinstance(subject, str) else None

    def to_json(self) -> bytes:
        """As JSON: a secret."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, document: bytes | str) -> UserTokens:
        """What ``to_json`` made. Raises ConfigurationError, whose message holds nothing of it."""
        try:
            return msgspec.json.decode(document, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ConfigurationError("That holds no tokens of a user: keep what to_json() made, unchanged.") from None


class UserTokenStore(Protocol):
    """Where a user's tokens are kept, for one process or several."""

    def held(self) -> AbstractContextManager[object]:
        """While it is held nobody else refreshes, where the store can promise that."""
        ...

    def load(self) -> UserTokens | None:
        """The latest tokens, None where nobody else could have renewed them."""
        ...

    def save(self, tokens: UserTokens) -> None:
        """Keep ``tokens`` durably; they are used only after this has returned."""
        ...


class CallbackStore:
    """Hands new tokens to a function; none where the application keeps them in memory alone."""

    def __init__(self, save: SaveTokens | None) -> None:
        self._save = save

    def held(self) -> AbstractContextManager[object]:
        """Nothing."""
        return nullcontext()

    def load(self) -> UserTokens | None:
        """None: a function only takes."""
        return None

    def save(self, tokens: UserTokens) -> None:
        """Call the function."""
        if self._save is not None:
            self._save(tokens)


class SaveTokens(Protocol):
    """What an application does with renewed tokens; called in a thread of its own, so it may block."""

    def __call__(self, tokens: UserTokens, /) -> object: ...
