"""Where an upstream provider pushes its security events: RFC 8935. One place for each, with a secret of its own."""

from __future__ import annotations

import hmac
from typing import Final

from ostiary.audit import tags
from ostiary.authorization_server import refusals
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import UPSTREAM, Endpoint
from ostiary.authorization_server.exchange import Exchange
from ostiary.authorization_server.http import Request, Response, json_response
from ostiary.errors import OAuthError, VerificationError
from ostiary.protocol import checks, security_event
from ostiary.protocol.jws import media_type
from ostiary.secret_files import read_secret_file
from ostiary.settings.upstream_signals import UpstreamSignalSettings
from ostiary.shared_signals.reception import AUTHENTICATION, PATH, Source, error_code, take, verified
from ostiary.trace import Trace, new_trace_id

_ACCEPTED: Final = ((b"cache-control", b"no-store"),)
_ERROR: Final = (
    (b"content-type", b"application/json"),
    (b"content-language", b"en"),
    (b"cache-control", b"no-store"),
)


async def _receive(server: AuthorizationServer, request: Request) -> Response:
    exchange = Exchange(server, request, server.clock(), Trace("signal"), tags.UPSTREAM_SIGNAL_REFUSED)
    name = request.path.rpartition("/")[2]
    exchange.trace.context["upstream"] = name
    try:
        source, signals = _source(server, name)
        _check_sender(request, signals)
        event = await verified(server, source, _token(request))
        await take(server, source, event)
    except VerificationError as error:
        return await _refused(exchange, error)
    except Exception as error:
        return await refusals.answer(exchange, error)
    # RFC 8935 2.2: "the SET Recipient SHALL acknowledge successful transmission by responding with an HTTP Response
    # Status Code of 202 (Accepted)". So is one that came before: its first acknowledgement may have been lost.
    return Response(202, _ACCEPTED, b"")


def _source(server: AuthorizationServer, name: str) -> tuple[Source, UpstreamSignalSettings]:
    settings = server.settings.upstream.get(name)
    if settings is None or settings.signals is None or settings.signals.delivery != "push":
        raise OAuthError("not_found", "no events are received here", status=404, check="upstream", seen=name)
    return Source.of(name, settings), settings.signals


def _check_sender(request: Request, signals: UpstreamSignalSettings) -> None:
    """Before anything of the body is looked at: who does not know the secret costs us no signature."""
    if signals.push_secret_file is None:
        raise OAuthError("not_found", "no events are received here", status=404, check="upstream")
    expected = f"Bearer {read_secret_file(signals.push_secret_file).decode('utf-8').strip()}".encode()
    if not hmac.compare_digest(request.headers.get(b"authorization", b""), expected):
        seen = "another value" if b"authorization" in request.headers else "no Authorization header"
        raise VerificationError(
            AUTHENTICATION,
            "the sender is not known",
            seen=seen,
            expected="Bearer and the secret of push_secret_file",
            mend="give the provider the secret as the authorization_header of its stream",
        )


def _token(request: Request) -> str:
    # RFC 8935 2.1: "The Content-Type of the HTTP request MUST be 'application/secevent+jwt'".
    sent = request.headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip()
    if media_type(sent) != security_event.TYP:
        raise VerificationError(
            checks.FORMAT, "another content type", seen=checks.shown(sent), expected=security_event.MEDIA_TYPE
        )
    try:
        return request.body.decode("ascii")
    except UnicodeDecodeError:
        raise checks.malformed("a character outside the base64url alphabet") from None


async def _refused(exchange: Exchange, error: VerificationError) -> Response:
    """RFC 8935 2.3: status 400, with ``err`` and ``description``; the trace id is for both operators."""
    trace_id = new_trace_id()
    answer = await refusals.answer(exchange, OAuthError.of(error), trace_id)
    if answer.status != 400:
        return answer  # it could not be put on record: 503, and the provider sends it again
    told = {"err": error_code(error.check), "description": error.public, "trace": trace_id}
    return json_response(told, status=400, headers=_ERROR)


ENDPOINT = Endpoint("upstream_signals", PATH + UPSTREAM, ("POST",), _receive)
