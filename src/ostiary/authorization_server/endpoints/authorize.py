"""The authorization endpoint: RFC 6749 section 3.1, OpenID Connect Core 3.1.2."""

from __future__ import annotations

from ostiary.authorization_server import form as forms
from ostiary.authorization_server.authorization import flow as flows
from ostiary.authorization_server.authorization.request import PARAMETERS
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.page_errors import flow_page, page
from ostiary.authorization_server.exchange import read_form
from ostiary.authorization_server.http import Request, Response


@page
@flow_page
async def _authorize(server: AuthorizationServer, request: Request) -> Response:
    # "The authorization server MUST support the use of the HTTP GET method [RFC9110] for the authorization endpoint and
    # MAY support the use of the POST method" RFC 6749 3.1; OpenID Connect Core 3.1.2.1 demands both.
    resources: list[str] = []
    if request.method == "POST":
        sent = read_form(request, resources=resources)
    else:
        sent = forms.parse(request.query, resources=resources)
    await server.registry.current()
    # "The authorization server MUST ignore unrecognized request parameters." RFC 6749 3.1
    known = {name: value for name, value in sent.items() if name in PARAMETERS}
    return await flows.begin(server, request, known, tuple(resources))


ENDPOINT = Endpoint("authorize", "/authorize", ("GET", "POST"), _authorize, "authorization_endpoint")
