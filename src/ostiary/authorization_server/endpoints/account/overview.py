"""The account page: where its user is signed in, by what, and which applications act for them (ASVS 7.5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ostiary.authorization_server import form as forms
from ostiary.authorization_server.authorization.accounts_here import shown_account
from ostiary.authorization_server.endpoints.account.visit import ACCOUNT, DONE, PATH, Visit, visited
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.http import Response
from ostiary.model.client import Client
from ostiary.model.consent import Consent
from ostiary.model.factor import Factor
from ostiary.model.grant import Grant
from ostiary.model.session import Session
from ostiary.user_authentication.pages.scope_groups import ScopeGroup, grouped
from ostiary.user_authentication.relying_party import relying_party

FIRST_FACTORS = frozenset(("password", "passkey", "upstream"))
"""By each of these alone one can begin a sign-in."""

_CHANGED = frozenset(
    ("password_changed", "factor_removed", "totp_added", "codes_saved", "passkey_added", "upstream_added")
)
_DONE = _CHANGED | {"passkey_renamed", "session_ended", "others_ended", "application_revoked"}


@dataclass(frozen=True, slots=True)
class ShownSession:
    """A session as its user sees it. current: whether it is the one of this page."""

    session_id: str
    device: str
    address: str
    current: bool
    created_at: int
    last_seen_at: int


@dataclass(frozen=True, slots=True)
class ShownFactor:
    """A factor as its user sees it. removable: whether another way to sign in is left without it."""

    factor_id: str
    kind: str
    name: str
    created_at: int
    last_used_at: int | None
    removable: bool


@dataclass(frozen=True, slots=True)
class ShownApplication:
    """What an application may do for the user. since: seconds since the epoch."""

    client_id: str
    name: str
    host: str
    groups: list[ScopeGroup]
    since: int


async def _overview(visit: Visit) -> Response:
    done = forms.parse(visit.request.query).get(DONE, "")
    return await show(visit, done=done if done in _DONE else "")


async def show(visit: Visit, *, status: int = 200, done: str = "", problem: str = "") -> Response:
    """The whole page. problem: a word of the catalogue's table ``problem``."""
    await visit.server.registry.current()
    user_id = visit.user.user_id
    async with visit.server.storage.read() as work:
        standing = [one for one in await work.sessions.of_user(user_id) if one.stands(visit.now)]
        factors = await work.factors.of_user(user_id)
        consents = await work.consents.of_user(user_id)
        grants = await work.grants.standing_of_user(user_id)
    return visit.show(
        "account",
        status=status,
        account=shown_account(visit.session, visit.user),
        session_id=visit.session.session_id,
        sessions=_sessions(visit, standing),
        factors=_factors(factors),
        recovery_codes=sum(factor.kind == "recovery_code" for factor in factors),
        applications=await _applications(visit, consents, [one for one in grants if one.stands(visit.now)]),
        others=[_other(visit, session_id=session.session_id, name=user.username) for session, user in visit.others],
        can_enrol=_can_enrol(visit, factors),
        upstreams=_upstreams(visit, factors),
        can_change_email=visit.server.settings.email.is_set_up,
        email=visit.user.email,
        email_verified=visit.user.email_verified,
        done=done,
        problem=problem,
        offer_ending=done in _CHANGED and len(standing) > 1,
    )


def has_another_way(factors: Sequence[Factor], without: str) -> bool:
    """Whether the user can still begin a sign-in without the factor ``without``."""
    return any(factor.kind in FIRST_FACTORS for factor in factors if factor.factor_id != without)


def _sessions(visit: Visit, standing: list[Session]) -> list[ShownSession]:
    current = visit.session.session_id
    ordered = sorted(standing, key=lambda one: (one.session_id != current, -one.last_seen_at))
    return [
        ShownSession(
            one.session_id, one.device, one.address, one.session_id == current, one.created_at, one.last_seen_at
        )
        for one in ordered
    ]


def _factors(factors: Sequence[Factor]) -> list[ShownFactor]:
    return [
        ShownFactor(
            one.factor_id,
            one.kind,
            one.name,
            one.created_at,
            one.last_used_at,
            has_another_way(factors, one.factor_id),
        )
        for one in factors
        if one.kind != "recovery_code"
    ]


def _can_enrol(visit: Visit, factors: Sequence[Factor]) -> list[str]:
    kinds = {factor.kind for factor in factors}
    # Recovery codes stand in for another second factor, so there has to be one.
    possible = {
        "password": "password" not in kinds,
        "passkey": relying_party(visit.server.issuer) is not None,
        "totp": True,
        "recovery_codes": bool(kinds & {"totp", "passkey"}),
    }
    return [kind for kind, is_possible in possible.items() if is_possible]


def _upstreams(visit: Visit, factors: Sequence[Factor]) -> list[dict[str, str]]:
    """The providers at which the user has linked no account."""
    linked = {(one.lookup or "").partition(" ")[0] for one in factors if one.kind == "upstream"}
    configured = visit.server.settings.upstream.items()
    return [{"id": name, "name": one.name} for name, one in configured if one.issuer not in linked]


def _other(visit: Visit, *, session_id: str, name: str) -> dict[str, str]:
    return {"name": name, "detail": "", "url": f"{visit.server.issuer.rstrip('/')}{PATH}?{ACCOUNT}={session_id}"}


async def _applications(visit: Visit, consents: list[Consent], grants: list[Grant]) -> list[ShownApplication]:
    """By consent, and those of the operator's own that were let in without."""
    allowed = [(one.client_id, one.created_at, {one.resource: one.scopes}) for one in consents]
    allowed += [(one.client_id, one.created_at, one.scopes) for one in grants]
    shown = []
    for client_id in dict.fromkeys(name for name, _, _ in allowed):
        own = [(at, scopes) for name, at, scopes in allowed if name == client_id]
        client = await visit.server.registry.client(client_id)
        name = client.name if client is not None else client_id
        groups = await grouped(visit.server.registry, _united([scopes for _, scopes in own]))
        shown.append(ShownApplication(client_id, name, _host(client), groups, min(at for at, _ in own)))
    return shown


def _united(several: list[dict[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    united: dict[str, tuple[str, ...]] = {}
    for scopes in several:
        for resource, names in scopes.items():
            united[resource] = tuple(dict.fromkeys((*united.get(resource, ()), *names)))
    return united


def _host(client: Client | None) -> str:
    login = client.login if client is not None else None
    uris = (login.home_uri, *login.redirect_uris) if login is not None else ()
    return next((host for uri in uris if (host := urlsplit(uri).hostname)), "")


ENDPOINT = Endpoint("account", PATH, ("GET", "HEAD"), visited(_overview))
