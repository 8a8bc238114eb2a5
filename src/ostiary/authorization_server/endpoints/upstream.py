"""Sign-in through an upstream provider: where it begins, and where the provider sends the browser back to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.audit import tags
from ostiary.authorization_server.authorization.answer import see_other
from ostiary.authorization_server.browser import browser_forms, cookies, interaction
from ostiary.authorization_server.browser.cookies import BrowserSecrets
from ostiary.authorization_server.browser.interaction import Interaction
from ostiary.authorization_server.client_address import client_address
from ostiary.authorization_server.endpoints.account.visit import PATH as ACCOUNT_PATH
from ostiary.authorization_server.endpoints.account.visit import Visit, visited
from ostiary.authorization_server.endpoints.base import UPSTREAM, Endpoint
from ostiary.authorization_server.endpoints.page_errors import error_page, page
from ostiary.authorization_server.form import parse
from ostiary.authorization_server.http import Request, Response, report
from ostiary.errors import VerificationError
from ostiary.model.event import AuditEvent
from ostiary.revocation.act import Act
from ostiary.trace import new_trace_id
from ostiary.user_authentication import session as sessions
from ostiary.user_authentication import sign_in
from ostiary.user_authentication.attempt import Place
from ostiary.user_authentication.pages import render
from ostiary.user_authentication.upstream import answer, identities, request
from ostiary.user_authentication.upstream import state as states
from ostiary.user_authentication.upstream.state import State

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

_SAID = {
    answer.DENIED: "upstream_denied",
    identities.UNLINKED: "upstream_unlinked",
    identities.TAKEN: "upstream_taken",
}
"""What people do about themselves: a sentence of its own. Everything else is the provider's fault, or an attack."""


@page
async def _start(server: AuthorizationServer, http: Request) -> Response:
    browser = cookies.read(server, http)
    browser_forms.read(server, http, browser)
    place = sign_in.place_of(server, http)
    return await _onward(server, http, browser, place.interaction, max_age=await _max_age(place))


async def _max_age(place: Place) -> int | None:
    """How fresh the sign-in at the provider must be: as the application wants it; now, where somebody is signed in.

    Who is signed in here comes to prove themselves again, and a session at the provider proves nothing.
    """
    async with place.server.storage.read() as work:
        here = await sessions.of_browser(work, place.secrets, place.now)
    parameters = place.interaction.parameters
    if here or "login" in parameters.get("prompt", "").split():
        return 0
    return int(parameters["max_age"]) if parameters.get("max_age", "").isdecimal() else None


async def _link(visit: Visit) -> Response:
    begun = Interaction(started_at=int(visit.now))
    return await _onward(
        visit.server, visit.request, visit.secrets, begun, max_age=None, link_session=visit.session.session_id
    )


async def _onward(
    server: AuthorizationServer,
    http: Request,
    browser: BrowserSecrets,
    begun: Interaction,
    *,
    max_age: int | None,
    link_session: str = "",
) -> Response:
    """A page that leads to the provider.

    Not a redirect: browsers hold ``form-action`` against the whole way of a form, and nobody knows where a provider
    redirects to. The header Refresh works without scripts.
    """
    state = State(
        upstream=_upstream_of(http),
        name=states.new_name(),
        started_at=int(server.clock()),
        interaction=begun,
        max_age=max_age,
        link_session=link_session,
    )
    url = await request.authentication_url(server, state, browser)
    name = request.settings_of(server, state.upstream).name
    headers = ((b"refresh", f"0;url={url}".encode("ascii")),)
    return render(server, http, browser, "onward", headers=headers, name=name, url=url)


@page
async def _callback(server: AuthorizationServer, http: Request) -> Response:
    browser, now = cookies.read(server, http), server.clock()
    parameters = parse(http.query)
    # Until the state has been opened nothing is written: anybody can send a browser here.
    state = states.opened(server, parameters.get("state", ""), browser, _upstream_of(http), now)
    place = Place(server, http, browser, state.interaction, client_address(server, http), now)
    try:
        async with server.storage.write() as work:
            await states.mark(work, state, now)
        await answer.check_issuer(server, state, parameters)
        return await _taken(place, state, await answer.identity(server, state, parameters))
    except VerificationError as error:
        trace_id = await _record(place, state, error)
        if error.check in _SAID:
            return _message(place, state, _SAID[error.check])
        return error_page(server, http, error, trace_id)


async def _taken(place: Place, state: State, who: answer.Identity) -> Response:
    server = place.server
    settings = request.settings_of(server, state.upstream)
    if not state.link_session:
        return await sign_in.take(place, await identities.proof(server, settings, who, place.now))
    act = Act("server", place.now, "on the account page", personal={"address": place.address} if place.address else {})
    session = await identities.link(server, settings, who, state, place.secrets, act)
    base = server.issuer.rstrip("/") + ACCOUNT_PATH
    return see_other(f"{base}?account={session.session_id}&done=upstream_added")


async def _record(place: Place, state: State, error: VerificationError) -> str:
    """Put the refusal on record; its trace id. Anybody can come back with nonsense: of a flood only some get rows."""
    trace_id = new_trace_id()
    place.server.on_event("sign_in", {"outcome": "refused"})
    if not place.server.unauthenticated.gets_rows(place.address):
        place.server.unauthenticated.count(error, place.address, place.request.path, trace_id, now=place.now)
        return trace_id
    report(error, trace_id, place.request.path)
    told = {"address": place.address, "seen": error.seen[:200], "expected": error.expected[:200]}
    event = AuditEvent(
        tags.UPSTREAM_REFUSED,
        "refused",
        int(place.now * 1000),
        reason=error.check,
        trace_id=trace_id,
        details={"upstream": state.upstream},
        # What was seen may name a person at the provider: it must not stay in the chain for good.
        personal={name: value for name, value in told.items() if value},
    )
    async with place.server.storage.write() as work:
        await work.audit.append(event)
    return trace_id


def _message(place: Place, state: State, about: str) -> Response:
    if state.link_session:
        next_url = place.server.issuer.rstrip("/") + ACCOUNT_PATH
    else:
        sealed = interaction.seal(place.server, state.interaction, place.secrets)
        next_url = interaction.url(place.server, sign_in.SIGN_IN, sealed)
    return render(place.server, place.request, place.secrets, "message", status=400, about=about, next_url=next_url)


def _upstream_of(http: Request) -> str:
    """The name of the provider in the path, which is one of those of the settings: nothing else is served."""
    return http.path.rsplit("/", 2)[1]


START = Endpoint("upstream_start", f"/upstream/{UPSTREAM}/start", ("POST",), _start)
CALLBACK = Endpoint("upstream_callback", f"/upstream/{UPSTREAM}/callback", ("GET",), _callback)
LINK = Endpoint("upstream_link", f"{ACCOUNT_PATH}/upstream/{UPSTREAM}/link", ("POST",), visited(_link, recent=True))
