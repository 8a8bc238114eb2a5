"""Where the pages of the sign-in lead back to: the authorization request is taken up again, checked anew."""

from __future__ import annotations

from ostiary.authorization_server import form as forms
from ostiary.authorization_server.authorization import flow as flows
from ostiary.authorization_server.authorization.answer import see_other
from ostiary.authorization_server.browser.interaction import PARAMETER
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.page_errors import flow_page, page
from ostiary.authorization_server.http import Request, Response

ACCOUNT_PAGE = "/account"


@page
@flow_page
async def _continue(server: AuthorizationServer, request: Request) -> Response:
    flow = flows.opened(server, request, forms.parse(request.query).get(PARAMETER))
    if not flow.interaction.parameters:
        return see_other(server.issuer.rstrip("/") + ACCOUNT_PAGE)
    await server.registry.current()
    return await flows.go_on(flow, flows.resumed(flow))


ENDPOINT = Endpoint("continue", "/continue", ("GET",), _continue)
