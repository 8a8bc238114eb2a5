"""What a ResourceServer is told, from arguments or the environment: issuers, audiences, its own credential, sinks.

``OSTIARY_ISSUER`` (several: separated by spaces), ``OSTIARY_AUDIENCE``, ``OSTIARY_API_KEY_FILE``,
``OSTIARY_PUBLIC_URL``, ``OSTIARY_REPLAY_URL`` or ``OSTIARY_REPLAY_FILE``, ``OSTIARY_TRACE_FILE``,
``OSTIARY_REVOCATION``, ``OSTIARY_INTERNAL_URL`` (for a single issuer). Arguments win.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import uri
from ostiary.protocol.credential import API, Credential
from ostiary.resource_server.issuer import IssuerConfig
from ostiary.resource_server.watch import FEED, NEEDS_CREDENTIAL, RevocationChoice, checked_choice
from ostiary.secret_files import read_secret_file

Issuers = str | IssuerConfig | Sequence[str | IssuerConfig] | None
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")


@dataclass(frozen=True, slots=True)
class Configuration:
    """issuers: at least one; audiences: at least one, the first is the API's own identifier."""

    issuers: tuple[IssuerConfig, ...]
    audiences: tuple[str, ...]
    public_url: str


def read(
    issuer: Issuers,
    audience: str | Sequence[str] | None,
    credential: Credential | Path | str | None,
    public_url: str | None,
    revocation: RevocationChoice | None,
    environment: Mapping[str, str],
) -> Configuration:
    """The configuration. Raises ConfigurationError that names what is missing."""
    own = _credential(credential, environment)
    configs = _issuers(issuer, own, environment)
    audiences = _audiences(audience, own, environment)
    url = public_url or environment.get("OSTIARY_PUBLIC_URL") or audiences[0]
    wanted = revocation if revocation is not None else environment.get("OSTIARY_REVOCATION") or FEED
    return Configuration(tuple(_with_choice(config, wanted) for config in configs), audiences, url.rstrip("/"))


def _with_choice(config: IssuerConfig, wanted: object) -> IssuerConfig:
    """``config`` with its way to learn of revocations: its own, else the one that is ``wanted``."""
    choice = config.revocation if config.revocation is not None else checked_choice(wanted)
    if choice in NEEDS_CREDENTIAL and config.credential is None:
        raise ConfigurationError(
            f"To learn which tokens of {config.issuer} were revoked, this API needs a key of its own there: set "
            "OSTIARY_API_KEY_FILE (made by ostiary api create --generate). Or say that a revoked token is good until "
            'it expires: revocation="until_expiry", OSTIARY_REVOCATION=until_expiry. Where the issuer publishes status '
            'lists, "status_list" needs no key either.'
        )
    return replace(config, revocation=choice)


def header_name(name: str) -> bytes:
    """The lower-case name of a header with a purpose of its own. Raises ConfigurationError for ``Authorization``."""
    if _HEADER_NAME.fullmatch(name) is None or name.lower() in ("authorization", "cookie", "host"):
        raise ConfigurationError(f"{name[:64]!r} cannot be the header for this; use a header of its own.")
    return name.lower().encode("ascii")


def check_public_url(url: str) -> None:
    """Raises ConfigurationError unless ``url`` can be the front of ``htu``."""
    try:
        uri.normalize(url)
    except VerificationError:
        raise ConfigurationError(
            f"Client JWTs name the URL of the request: set public_url (OSTIARY_PUBLIC_URL); {url[:200]!r} is none."
        ) from None


def default_replay_file(audience: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the processes of this host share their replay memory for ``audience``.

    ``OSTIARY_REPLAY_FILE``, else one file for each audience in ``$XDG_STATE_HOME/ostiary/`` or
    ``~/.local/state/ostiary/``.
    """
    named = environment.get("OSTIARY_REPLAY_FILE")
    if named:
        return Path(named)
    state = environment.get("XDG_STATE_HOME")
    folder = Path(state) if state else Path.home() / ".local" / "state"
    return folder / "ostiary" / f"replay-{hashlib.sha256(audience.encode()).hexdigest()[:16]}.sqlite3"


def _credential(given: Credential | Path | str | None, environment: Mapping[str, str]) -> Credential | None:
    if isinstance(given, Credential):
        own: Credential | None = given
    else:
        path = given or environment.get("OSTIARY_API_KEY_FILE")
        own = Credential.parse(read_secret_file(path)) if path else None
    if own is not None and own.kind != API:
        raise ConfigurationError("The credential is a client's; an API needs its own: ostiary api create --generate.")
    return own


def _issuers(given: Issuers, own: Credential | None, environment: Mapping[str, str]) -> tuple[IssuerConfig, ...]:
    named: Sequence[str | IssuerConfig]
    if given is None:
        named = environment.get("OSTIARY_ISSUER", own.issuer if own else "").split()
    elif isinstance(given, str | IssuerConfig):
        named = [given]
    else:
        named = given
    internal = environment.get("OSTIARY_INTERNAL_URL") or None
    configs = [
        each
        if isinstance(each, IssuerConfig)
        else IssuerConfig(each, internal_url=internal if len(named) == 1 else None)
        for each in named
    ]
    if not configs:
        raise ConfigurationError("No issuer is trusted: set OSTIARY_ISSUER or ResourceServer(issuer=...).")
    if len({config.issuer for config in configs}) != len(configs):
        raise ConfigurationError("An issuer is named twice; name each one once.")
    return _with_credential(configs, own)


def _with_credential(configs: list[IssuerConfig], own: Credential | None) -> tuple[IssuerConfig, ...]:
    if own is None:
        return tuple(configs)
    if all(config.issuer != own.issuer for config in configs):
        names = ", ".join(config.issuer for config in configs)
        raise ConfigurationError(f"The credential is one for {own.issuer}, but the trusted issuer is {names}.")
    return tuple(
        replace(config, credential=own) if config.issuer == own.issuer and config.credential is None else config
        for config in configs
    )


def _audiences(
    given: str | Sequence[str] | None, own: Credential | None, environment: Mapping[str, str]
) -> tuple[str, ...]:
    if given is None:
        given = environment.get("OSTIARY_AUDIENCE") or (own.audience if own else None) or ()
    audiences = (given,) if isinstance(given, str) else tuple(given)
    if not audiences or not all(audiences):
        raise ConfigurationError("The API has no name: set OSTIARY_AUDIENCE or ResourceServer(audience=...).")
    return audiences
