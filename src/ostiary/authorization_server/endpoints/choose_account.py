"""The account chooser: which of the people who are signed in here it is for (OpenID Connect Core 3.1.2.1)."""

from __future__ import annotations

from ostiary.authorization_server import form as forms
from ostiary.authorization_server.authorization import flow as flows
from ostiary.authorization_server.authorization.accounts_here import accounts_here, shown_account
from ostiary.authorization_server.authorization.answer import form_targets, see_other
from ostiary.authorization_server.authorization.request import Refused, checked
from ostiary.authorization_server.browser import browser_forms, interaction
from ostiary.authorization_server.browser.interaction import PARAMETER
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.page_errors import flow_page, page
from ostiary.authorization_server.http import Request, Response
from ostiary.errors import OAuthError
from ostiary.user_authentication.pages import render


@page
@flow_page
async def _choose(server: AuthorizationServer, request: Request) -> Response:
    sealed = forms.parse(request.query).get(PARAMETER)
    flow = flows.opened(server, request, sealed)
    await server.registry.current()
    try:
        authorization = await checked(flows.resumed(flow))
    except Refused as refusal:
        return await flows.refused(flow, refusal)
    async with server.storage.read() as work:
        accounts = await accounts_here(server, work, flow.secrets, authorization.client, flow.now)
    if request.method == "POST":
        chosen = browser_forms.read(server, request, flow.secrets).get("session_id", "")
        if chosen not in [account.session.session_id for account in accounts]:
            raise OAuthError("invalid_request", "this account is not signed in here any more", check="session")
        state = interaction.with_account(flow.interaction, chosen)
        return see_other(interaction.url(server, "/continue", interaction.seal(server, state, flow.secrets)))
    nobody = interaction.seal(server, interaction.with_account(flow.interaction, ""), flow.secrets)
    return render(
        server,
        request,
        flow.secrets,
        "accounts",
        form_targets=form_targets(authorization.redirect_uri),
        ui_locales=authorization.parameters.get("ui_locales", ""),
        accounts=[shown_account(account.session, account.user) for account in accounts],
        application=authorization.client.name,
        action=interaction.url(server, "/accounts", sealed or ""),
        other_url=interaction.url(server, "/sign-in", nobody),
    )


ENDPOINT = Endpoint("accounts", "/accounts", ("GET", "POST"), _choose)
