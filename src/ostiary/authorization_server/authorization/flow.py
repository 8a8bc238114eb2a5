"""Takes a browser from its authorization request to the client's answer, page by page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.audit import tags
from ostiary.authorization_server import authorization_code, refusals
from ostiary.authorization_server.authorization.accounts_here import accounts_here
from ostiary.authorization_server.authorization.answer import answer, error_members, see_other
from ostiary.authorization_server.authorization.decision import Account, Decision, Need, decide, missing_consent
from ostiary.authorization_server.authorization.request import AuthorizationRequest, Refused, checked
from ostiary.authorization_server.browser import cookies, interaction
from ostiary.authorization_server.browser.cookies import BrowserSecrets, Header
from ostiary.authorization_server.browser.interaction import Interaction
from ostiary.authorization_server.exchange import Exchange
from ostiary.authorization_server.http import Request, Response
from ostiary.errors import OAuthError
from ostiary.storage.base import UnitOfWork
from ostiary.trace import Trace, new_trace_id
from ostiary.user_authentication import session as sessions

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

PAGES = {
    Need.SIGN_IN: "/sign-in",
    Need.CHOICE: "/accounts",
    Need.CONSENT: "/consent",
    Need.SECOND_FACTOR: "/sign-in/second-factor",
}


Remember = Callable[[UnitOfWork], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Flow:
    """One request of a browser on the way. headers: what its answer sets, such as the browser's first cookie."""

    server: AuthorizationServer
    http: Request
    secrets: BrowserSecrets
    interaction: Interaction
    now: float
    headers: tuple[Header, ...] = ()


async def begin(
    server: AuthorizationServer, http: Request, parameters: dict[str, str], resources: tuple[str, ...]
) -> Response:
    """A new authorization request. Raises RefusedToPerson."""
    now = server.clock()
    secrets, headers = await cookies.known(server, http)
    request = AuthorizationRequest(server, parameters, resources, now)
    started = Interaction(started_at=int(now), parameters=parameters, resources=resources)
    return await go_on(Flow(server, http, secrets, started, now, headers), request)


async def go_on(flow: Flow, request: AuthorizationRequest) -> Response:
    """The next page, or the answer to the client. Raises RefusedToPerson where the client cannot be told."""
    try:
        await checked(request)
        decision = await decided(flow, request)
        if decision.need is not None:
            return to_page(flow, decision)
        if decision.account is None:
            raise OAuthError("server_error", "no account was chosen", status=500)
        return await answered(flow, request, decision.account)
    except Refused as refusal:
        return await refused(flow, refusal)
    except OAuthError as error:
        return await refused(flow, Refused(error, request, redirect=True))


async def decided(flow: Flow, request: AuthorizationRequest) -> Decision:
    """What is needed next, consent included. Raises OAuthError where prompt=none forbids to ask."""
    async with flow.server.storage.read() as work:
        accounts = await accounts_here(flow.server, work, flow.secrets, request.client, flow.now)
        decision = decide(request, flow.interaction, accounts, flow.now)
        if decision.need is not None or decision.account is None:
            return decision
        consents = await work.consents.of_user(decision.account.user.user_id, request.client.client_id)
    if not missing_consent(request, consents):
        return decision
    if "none" in request.prompt:
        raise OAuthError(
            "consent_required", "the user must consent, and prompt=none forbids to ask", check="consent", seen="none"
        )
    return Decision(Need.CONSENT, decision.account)


def to_page(flow: Flow, decision: Decision) -> Response:
    """Send the browser to the page that is needed, with what was decided so far."""
    chosen = decision.account.session.session_id if decision.account else ""
    state = interaction.with_account(flow.interaction, chosen, step_up=decision.need is Need.SECOND_FACTOR)
    sealed = interaction.seal(flow.server, state, flow.secrets)
    need = decision.need or Need.SIGN_IN
    return see_other(interaction.url(flow.server, PAGES[need], sealed), flow.headers)


async def answered(
    flow: Flow, request: AuthorizationRequest, account: Account, *, remember: Remember | None = None
) -> Response:
    """Issue the code and send the browser to the client with it.

    remember: writes the consent that was given a moment ago; without one what was given before must still be there.
    Raises OAuthError: the session, the account or the consent ended meanwhile; then nothing is written.
    """
    async with flow.server.storage.write() as work:
        # Whoever ends everything (``raise_epoch``) waits for this, or has ended the session before it is looked at.
        await work.positions()
        await work.users.hold(account.user.user_id)
        if remember is None:
            consents = await work.consents.of_user(account.user.user_id, request.client.client_id)
            if missing_consent(request, consents):
                raise OAuthError("consent_required", "the user has just taken the consent back", check="consent")
        code = await authorization_code.issue(work, flow.server, request, account)
        if remember is not None:
            await remember(work)
        await sessions.touch(work, flow.server.settings.sign_in, account.session, flow.now)
    flow.server.on_event("authorization", {"outcome": "granted"})
    return answer(request, flow.http, flow.secrets, {"code": code}, flow.headers)


class RefusedToPerson(Exception):
    """A refusal that the client cannot be told, because nobody knows whose the redirect URI is."""

    def __init__(self, error: OAuthError, trace_id: str, headers: tuple[Header, ...]) -> None:
        super().__init__(str(error))
        self.error = error
        self.trace_id = trace_id
        self.headers = headers


async def refused(flow: Flow, refusal: Refused) -> Response:
    """Record the refusal and tell the client, or, where that is not safe, raise RefusedToPerson."""
    exchange = Exchange(flow.server, flow.http, flow.now, Trace("authorization"), tags.AUTHORIZATION_REFUSED)
    client_id = refusal.request.parameters.get("client_id")
    if client_id is not None:
        exchange.trace.context["client_id"] = client_id
    trace_id = new_trace_id()
    recorded = await refusals.answer(exchange, refusal.error, trace_id)
    error = refusal.error
    if recorded.status == 503:
        error = OAuthError("temporarily_unavailable", "not available just now, try again", status=503)
    if not refusal.redirect:
        raise RefusedToPerson(error, trace_id, flow.headers)
    return answer(refusal.request, flow.http, flow.secrets, error_members(error, trace_id), flow.headers)


def resumed(flow: Flow) -> AuthorizationRequest:
    """The authorization request that the browser is in the middle of, to be checked anew."""
    return AuthorizationRequest(flow.server, flow.interaction.parameters, flow.interaction.resources, flow.now)


def opened(server: AuthorizationServer, http: Request, sealed: str | None) -> Flow:
    """The flow that the browser goes on with. Raises VerificationError: no interaction, or not this browser's."""
    now, secrets = server.clock(), cookies.read(server, http)
    return Flow(server, http, secrets, interaction.unseal(server, sealed or "", secrets, now), now)
