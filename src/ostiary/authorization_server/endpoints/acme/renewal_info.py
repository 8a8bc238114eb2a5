"""When to renew a certificate, told to whoever asks: RFC 9773 section 4."""

from __future__ import annotations

from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.acme import answers, views
from ostiary.authorization_server.endpoints.acme.exchange import absent
from ostiary.authorization_server.endpoints.acme.urls import PATH
from ostiary.authorization_server.endpoints.base import Endpoint, issuer_path
from ostiary.authorization_server.http import Request, Response, json_response
from ostiary.certificate_authority.acme.problems import Problem
from ostiary.certificate_authority.acme.renewal import RETRY_AFTER, check_id, parse_certificate_id, suggested_window
from ostiary.trace import new_trace_id

_PATH = f"{PATH}/renewal-info/"


async def _renewal_info(server: AuthorizationServer, request: Request) -> Response:
    if not server.settings.acme.enabled:
        return absent()
    try:
        named = parse_certificate_id(request.path.removeprefix(issuer_path(server.issuer) + _PATH))
        async with server.storage.read() as work:
            found = check_id(await work.certificates.get(named.serial), named)
    except Problem as error:
        trace_id = new_trace_id()
        server.unauthenticated.count(error, request.client_address, "acme", trace_id, now=server.clock())
        return answers.problem(server, error, trace_id)
    start, end = suggested_window(found, server.clock())
    window = {"suggestedWindow": {"start": views.moment(start), "end": views.moment(end)}}
    # Section 4.3: clients come again after that time, not more often.
    kept = (b"content-type", b"application/json"), answers.retry_after(RETRY_AFTER)
    return json_response(window, headers=kept)


ENDPOINT = Endpoint("acme_renewal_info", _PATH, ("GET",), _renewal_info)
