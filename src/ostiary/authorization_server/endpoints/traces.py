"""Where APIs send the traces of what they refused, so that `ostiary explain` finds them beside the server's own.

An API's traces are believed to be the API's and nothing more: they are redacted anew, kept under the API's name for as
long as the server's own, and never take the place of a trace that is there.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ostiary.audit import tags
from ostiary.authorization_server.callers import apis_of_caller
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.exchange import Answer, Exchange, authenticated
from ostiary.authorization_server.http import Response, json_response
from ostiary.errors import OAuthError
from ostiary.storage.base import UnitOfWork
from ostiary.trace import Check, TraceRecord, redact

MAX_TRACES = 100
MAX_CHECKS = 65
_DAY = 86_400

Text = Annotated[str, Meta(max_length=1000)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
# Unguessable, as ours are: an id that could be guessed would let one API take the place of another's next trace.
TraceId = Annotated[str, Meta(pattern=r"^tr_[A-Za-z0-9_-]{22}$")]


class SentCheck(msgspec.Struct, forbid_unknown_fields=True):
    name: Name
    passed: bool
    seen: Text = ""
    expected: Text = ""
    mend: Text = ""


class SentTrace(msgspec.Struct, forbid_unknown_fields=True):
    trace_id: TraceId
    at: Annotated[float, Meta(ge=0, le=1e11)]
    kind: Name
    outcome: Literal["refused", "fault"]
    public: Text
    checks: Annotated[list[SentCheck], Meta(max_length=MAX_CHECKS)] = []
    context: Annotated[dict[Name, Text], Meta(max_length=20)] = {}


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    """The form parameter ``traces``: JSON ``{"traces": [...]}``."""

    traces: Annotated[list[SentTrace], Meta(max_length=MAX_TRACES)]


_decode = msgspec.json.Decoder(Batch).decode


async def _decide(exchange: Exchange) -> Answer:
    await apis_of_caller(exchange)
    records = parse(exchange.form.get("traces"))
    return partial(_answer, exchange, records)


def parse(text: str | None) -> list[TraceRecord]:
    """The traces in ``text``, redacted anew. Raises OAuthError("invalid_request")."""
    if text is None:
        raise OAuthError("invalid_request", "traces is missing", check="traces", expected="the parameter traces")
    try:
        batch = _decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise OAuthError(
            "invalid_request",
            "malformed traces",
            check="traces",
            seen=str(error),
            expected=f"at most {MAX_TRACES} traces as Ostiary's resource-server library writes them",
            mend="use the same version of Ostiary in the API and in the server",
        ) from None
    return [_redacted(sent) for sent in batch.traces]


def _redacted(sent: SentTrace) -> TraceRecord:
    checks = tuple(
        Check(redact(check.name), check.passed, redact(check.seen), redact(check.expected), redact(check.mend))
        for check in sent.checks
    )
    context = {redact(name): redact(value) for name, value in sent.context.items()}
    return TraceRecord(sent.trace_id, sent.at, redact(sent.kind), sent.outcome, redact(sent.public), checks, context)


async def _answer(exchange: Exchange, records: list[TraceRecord], work: UnitOfWork) -> Response:
    expires_at = int(exchange.now) + exchange.server.settings.traces.retention_days * _DAY
    source = exchange.client.client.client_id
    stored = 0
    for record in records:
        if await work.traces.get(record.trace_id) is None:
            await work.traces.add(record, expires_at=expires_at, source=source)
            stored += 1
    exchange.server.on_event("traces_stored", {"api": source})
    return json_response({"stored": stored})


ENDPOINT = Endpoint(
    "traces",
    "/traces",
    ("POST",),
    authenticated("traces", tags.TRACES_REFUSED, _decide),
    "ostiary_traces_endpoint",
    authenticates=True,
)
