"""Consent: what the user is told that an application asks for, and their yes or no (ASVS 10.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ostiary.audit import tags
from ostiary.authorization_server import authorization_flow as flows
from ostiary.authorization_server import browser_forms, interaction
from ostiary.authorization_server import form as forms
from ostiary.authorization_server.accounts_here import accounts_here
from ostiary.authorization_server.authorization_answer import answer, error_members, form_targets
from ostiary.authorization_server.authorization_decision import Account, decide, is_assured, missing_consent
from ostiary.authorization_server.authorization_flow import Flow
from ostiary.authorization_server.authorization_request import OPENID_SCOPES, AuthorizationRequest, Refused, checked
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.page_errors import flow_page, page
from ostiary.authorization_server.http import Request, Response
from ostiary.authorization_server.interaction import PARAMETER
from ostiary.errors import OAuthError
from ostiary.model.consent import Consent
from ostiary.model.event import AuditEvent
from ostiary.storage.base import UnitOfWork
from ostiary.trace import new_trace_id
from ostiary.user_authentication.pages import render


@dataclass(frozen=True, slots=True)
class AskedScope:
    """A scope as a person reads it. new: whether it was not allowed before."""

    name: str
    words: str
    new: bool


@dataclass(frozen=True, slots=True)
class AskedResource:
    """One API, or "" for what OpenID Connect tells. name: for people."""

    identifier: str
    name: str
    scopes: tuple[AskedScope, ...]


@page
@flow_page
async def _consent(server: AuthorizationServer, request: Request) -> Response:
    sealed = forms.parse(request.query).get(PARAMETER)
    flow = flows.opened(server, request, sealed)
    await server.registry.current()
    authorization = flows.resumed(flow)
    try:
        await checked(authorization)
        account, missing = await _asked(flow, authorization)
        if account is None:
            # The session ended meanwhile, or more is needed than consent.
            return await flows.go_on(flow, authorization)
        if request.method == "POST":
            decision = browser_forms.read(server, request, flow.secrets).get("decision")
            return await _decided(flow, authorization, account, decision)
    except Refused as refusal:
        return await flows.refused(flow, refusal)
    return _shown(flow, authorization, account, missing, sealed or "")


async def _asked(flow: Flow, request: AuthorizationRequest) -> tuple[Account | None, Mapping[str, tuple[str, ...]]]:
    async with flow.server.storage.read() as work:
        accounts = await accounts_here(flow.server, work, flow.secrets, request.client, flow.now)
        decision = decide(request, flow.interaction, accounts, flow.now)
        if decision.need is not None or decision.account is None:
            return None, {}
        consents = await work.consents.of_user(decision.account.user.user_id, request.client.client_id)
    return decision.account, missing_consent(request, flow.interaction, consents)


async def _decided(flow: Flow, request: AuthorizationRequest, account: Account, decision: str | None) -> Response:
    if decision == "allow":
        async with flow.server.storage.write() as work:
            await _remember(work, request, account)
        return await flows.answered(flow, request, account)
    if decision != "deny":
        raise OAuthError("invalid_request", "allow or deny", check="decision", expected="allow or deny")
    trace_id = new_trace_id()
    async with flow.server.storage.write() as work:
        await work.audit.append(_event(request, account, tags.CONSENT_DENIED, "refused", trace_id))
    # RFC 6749 4.1.2.1: "access_denied: The resource owner or authorization server denied the request."
    denied = OAuthError("access_denied", "the user said no")
    return answer(request, flow.http, flow.secrets, error_members(denied, trace_id))


async def _remember(work: UnitOfWork, request: AuthorizationRequest, account: Account) -> None:
    now, user_id, client_id = int(request.now), account.user.user_id, request.client.client_id
    held = {consent.resource: consent for consent in await work.consents.of_user(user_id, client_id)}
    for resource, names in request.scopes.items():
        before = held[resource].scopes if resource in held else ()
        scopes = tuple(dict.fromkeys((*before, *names)))
        created = held[resource].created_at if resource in held else now
        if names and scopes != before:
            await work.consents.put(Consent(user_id, client_id, resource, scopes, created, now))
    await work.audit.append(_event(request, account, tags.CONSENT_GIVEN, "allowed"))


def _event(request: AuthorizationRequest, account: Account, tag: str, outcome: str, trace_id: str = "") -> AuditEvent:
    return AuditEvent(
        tag,
        "allowed" if outcome == "allowed" else "refused",
        int(request.now * 1000),
        actor=f"user:{account.user.user_id}",
        target=request.client.client_id,
        trace_id=trace_id,
        details={"scope": " ".join(name for names in request.scopes.values() for name in names)},
        personal={},
    )


def _shown(
    flow: Flow,
    request: AuthorizationRequest,
    account: Account,
    missing: Mapping[str, tuple[str, ...]],
    sealed: str,
) -> Response:
    parts = urlsplit(request.redirect_uri)
    return render(
        flow.server,
        flow.http,
        flow.secrets,
        "consent",
        form_targets=form_targets(request.redirect_uri),
        client=request.client,
        login=request.login,
        host=parts.hostname or f"{parts.scheme}:",
        assured=is_assured(request),
        account=account,
        resources=_resources(request, missing),
        action=interaction.url(flow.server, "/consent", sealed),
        switch=interaction.url(flow.server, "/accounts", sealed),
    )


def _resources(request: AuthorizationRequest, missing: Mapping[str, tuple[str, ...]]) -> list[AskedResource]:
    apis = {api.identifier: api for api in request.apis}
    asked = []
    for identifier, names in request.scopes.items():
        api = apis.get(identifier)
        words = OPENID_SCOPES if api is None else api.scopes
        scopes = tuple(AskedScope(name, words.get(name) or name, name in missing.get(identifier, ())) for name in names)
        if scopes:
            asked.append(AskedResource(identifier, api.name if api else "", scopes))
    return asked


ENDPOINT = Endpoint("consent", "/consent", ("GET", "POST"), _consent)
