"""Consent: what the user is told that an application asks for, and their yes or no (ASVS 10.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from ostiary.audit import tags
from ostiary.authorization_server import form as forms
from ostiary.authorization_server.authorization import flow as flows
from ostiary.authorization_server.authorization.accounts_here import accounts_here, shown_account
from ostiary.authorization_server.authorization.answer import answer, error_members, form_targets
from ostiary.authorization_server.authorization.decision import Account, decide, is_assured, missing_consent
from ostiary.authorization_server.authorization.flow import Flow
from ostiary.authorization_server.authorization.request import AuthorizationRequest, Refused, checked
from ostiary.authorization_server.browser import browser_forms, interaction
from ostiary.authorization_server.browser.interaction import PARAMETER
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.page_errors import flow_page, page
from ostiary.authorization_server.http import Request, Response
from ostiary.errors import OAuthError
from ostiary.model.consent import Consent
from ostiary.model.event import AuditEvent
from ostiary.storage.base import UnitOfWork
from ostiary.trace import new_trace_id
from ostiary.user_authentication.pages import render
from ostiary.user_authentication.pages.scope_groups import grouped


@dataclass(frozen=True, slots=True)
class ShownApplication:
    """The application as the page shows it. verified: whether its identity is assured."""

    name: str
    host: str
    verified: bool


@page
@flow_page
async def _consent(server: AuthorizationServer, request: Request) -> Response:
    sealed = forms.parse(request.query).get(PARAMETER)
    flow = flows.opened(server, request, sealed)
    await server.registry.current()
    authorization = flows.resumed(flow)
    try:
        await checked(authorization)
        asked = await _asked(flow, authorization)
        if asked is None:
            # The session ended meanwhile, or more is needed than consent.
            return await flows.go_on(flow, authorization)
        if request.method == "POST":
            decision = browser_forms.read(server, request, flow.secrets).get("decision")
            return await _decided(flow, authorization, asked.account, decision)
    except Refused as refusal:
        return await flows.refused(flow, refusal)
    return await _shown(flow, authorization, asked, sealed or "")


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who is asked for what. missing: the scopes to show; before: whether they have allowed something already."""

    account: Account
    missing: Mapping[str, tuple[str, ...]]
    before: bool


async def _asked(flow: Flow, request: AuthorizationRequest) -> _Asked | None:
    async with flow.server.storage.read() as work:
        accounts = await accounts_here(flow.server, work, flow.secrets, request.client, flow.now)
        try:
            decision = decide(request, flow.interaction, accounts, flow.now)
        except OAuthError as error:
            raise Refused(error, request, redirect=True) from None
        if decision.need is not None or decision.account is None:
            return None
        consents = await work.consents.of_user(decision.account.user.user_id, request.client.client_id)
    missing = missing_consent(request, consents)
    return _Asked(decision.account, missing or request.scopes, bool(consents))


async def _decided(flow: Flow, request: AuthorizationRequest, account: Account, decision: str | None) -> Response:
    if decision == "allow":
        try:
            return await flows.answered(flow, request, account, remember=partial(_remember, request, account))
        except OAuthError as error:
            raise Refused(error, request, redirect=True) from None
    if decision != "deny":
        raise OAuthError("invalid_request", "allow or deny", check="decision", expected="allow or deny")
    trace_id = new_trace_id()
    async with flow.server.storage.write() as work:
        await work.audit.append(_event(request, account, tags.CONSENT_DENIED, "refused", trace_id))
    # RFC 6749 4.1.2.1: "access_denied: The resource owner or authorization server denied the request."
    denied = OAuthError("access_denied", "the user said no")
    return answer(request, flow.http, flow.secrets, error_members(denied, trace_id))


async def _remember(request: AuthorizationRequest, account: Account, work: UnitOfWork) -> None:
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


async def _shown(flow: Flow, request: AuthorizationRequest, asked: _Asked, sealed: str) -> Response:
    parts = urlsplit(request.redirect_uri)
    application = ShownApplication(request.client.name, parts.hostname or f"{parts.scheme}:", is_assured(request))
    return render(
        flow.server,
        flow.http,
        flow.secrets,
        "consent",
        form_targets=form_targets(request.redirect_uri),
        ui_locales=request.parameters.get("ui_locales", ""),
        application=application,
        account=shown_account(asked.account.session, asked.account.user),
        groups=await grouped(flow.server.registry, asked.missing),
        before=asked.before and asked.missing != request.scopes,
        action=interaction.url(flow.server, "/consent", sealed),
        switch_url=interaction.url(flow.server, "/accounts", sealed),
    )


ENDPOINT = Endpoint("consent", "/consent", ("GET", "POST"), _consent)
