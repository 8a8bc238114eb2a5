"""What a client that signs users in has registered: RFC 7591 section 2, OpenID Connect Registration 1.0 section 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

ApplicationType = Literal["web", "native", "browser"]
LoginAlgorithm = Literal["ES256", "RS256"]
ID_TOKEN_ALGORITHMS: Final[tuple[str, ...]] = get_args(LoginAlgorithm)
"""What an ID token or a userinfo answer may be signed by; OpenID Connect Discovery 3: "RS256 MUST be included"."""

SubjectType = Literal["public", "pairwise"]


@dataclass(frozen=True, slots=True)
class ClientLogin:
    """The registration of an application with users.

    application_type: ``"web"`` (runs on a server), ``"native"`` (on a device), ``"browser"`` (single-page).
    redirect_uris, post_logout_redirect_uris: compared character by character; a loopback port of a native one may vary.
    id_token_alg: of its ID tokens; userinfo_alg: of its userinfo answers, None for plain JSON.
    subject_type: ``"pairwise"`` gives each sector its own ``sub``; sector: the host that the applications share.
    require_pkce: False only for a confidential OpenID client that then must use ``nonce`` (RFC 9700 2.1.1).
    first_party: the operator's own application: consent is not asked, if its identity is assured.
    home_uri, logo_uri: shown to users. backchannel_logout_uri: told when a session ends.
    refresh_token_life, refresh_token_idle: seconds; None for the settings'.
    """

    application_type: ApplicationType = "web"
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    id_token_alg: str = "ES256"
    userinfo_alg: str | None = None
    subject_type: SubjectType = "public"
    sector: str = ""
    require_pkce: bool = True
    first_party: bool = False
    home_uri: str = ""
    logo_uri: str = ""
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool = True
    refresh_token_life: int | None = None
    refresh_token_idle: int | None = None
