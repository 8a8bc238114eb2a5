"""What a receiver may ask of its stream, and how the stream is shown: SSF 1.0 section 8.1.1."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from ostiary.authorization_server.signals_resource import poll_url
from ostiary.errors import OAuthError
from ostiary.fetching.refusal import FetchRefused
from ostiary.fetching.target import parse_target
from ostiary.model.signal import POLL, PUSH, DeliveryMethod, SignalStream
from ostiary.protocol.checks import shown
from ostiary.protocol.event_types import SENT

METHODS: Final[tuple[DeliveryMethod, ...]] = (PUSH, POLL)
MIN_VERIFICATION_INTERVAL: Final = 30
"""Seconds from one request for a verification event to the next."""

MAX_TYPES: Final = 50
MAX_TEXT: Final = 500
MAX_HEADER: Final = 2048
PURPOSE: Final = "signals"

Seal = Callable[[str, str], bytes]
"""Seals the Authorization header (second) of a stream (first)."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the installation says: its issuer, whether plain http may be pushed to, how secrets are sealed."""

    issuer: str
    allow_http: bool
    seal: Seal


def new_stream(rules: Rules, client_id: str, members: Mapping[str, object], now: int) -> SignalStream:
    """The stream that a receiver asks for; it polls unless it names another method. Raises OAuthError."""
    blank = SignalStream(
        stream_id=secrets.token_hex(16),
        client_id=client_id,
        method=POLL,
        endpoint_url="",
        sealed_authorization=None,
        events_requested=SENT,
        description="",
        status="enabled",
        reason="",
        changed_by="receiver",
        verified_at=None,
        verification_asked_at=0,
        attempts=0,
        due_at=0,
        created_at=now,
        updated_at=now,
    )
    return _changed(rules, blank, members, now)


def changed_stream(rules: Rules, stream: SignalStream, members: Mapping[str, object], now: int) -> SignalStream:
    """The stream with what ``members`` name; the rest stays: SSF 1.0 section 8.1.1.3. Raises OAuthError."""
    _check_supplied(rules, stream, members)
    return _changed(rules, stream, members, now)


def replaced_stream(rules: Rules, stream: SignalStream, members: Mapping[str, object], now: int) -> SignalStream:
    """The stream as ``members`` say. Raises OAuthError.

    "Missing Receiver-Supplied properties MUST be interpreted as requested to be deleted." SSF 1.0 section 8.1.1.4
    """
    _check_supplied(rules, stream, members)
    blank = replace(
        stream, method=POLL, endpoint_url="", sealed_authorization=None, events_requested=SENT, description=""
    )
    made = _changed(rules, blank, members, now)
    same_place = made.method == stream.method and made.endpoint_url == stream.endpoint_url
    return replace(made, verified_at=stream.verified_at if same_place else None)


def view(issuer: str, stream: SignalStream) -> dict[str, object]:
    """The configuration as its receiver sees it, without the Authorization header, which is a secret."""
    delivery = {"method": stream.method, "endpoint_url": _endpoint_url(issuer, stream)}
    shown_stream: dict[str, object] = {
        "stream_id": stream.stream_id,
        "iss": issuer,
        "aud": stream.client_id,
        "delivery": delivery,
        "events_supported": list(SENT),
        "events_requested": list(stream.events_requested),
        "events_delivered": delivered(stream),
        "min_verification_interval": MIN_VERIFICATION_INTERVAL,
    }
    return shown_stream | ({"description": stream.description} if stream.description else {})


def status_view(stream: SignalStream) -> dict[str, object]:
    """The status as its receiver sees it: SSF 1.0 section 8.1.2.1."""
    told: dict[str, object] = {"stream_id": stream.stream_id, "status": stream.status}
    return told | ({"reason": stream.reason} if stream.reason else {})


def delivered(stream: SignalStream) -> list[str]:
    """The types that flow: those asked for that there are."""
    return [one for one in SENT if one in stream.events_requested]


def _endpoint_url(issuer: str, stream: SignalStream) -> str:
    return stream.endpoint_url if stream.method == PUSH else poll_url(issuer, stream.stream_id)


def _check_supplied(rules: Rules, stream: SignalStream, members: Mapping[str, object]) -> None:
    """SSF 1.0 8.1.1.3: "Transmitter-Supplied properties ... MUST match the expected value"."""
    for name, value in view(rules.issuer, stream).items():
        if name not in ("delivery", "events_requested", "description") and name in members and members[name] != value:
            # A receiver may write the one audience as a list.
            if name == "aud" and members[name] == [value]:
                continue
            _refuse(name, shown(members[name]), shown(value))


def _changed(rules: Rules, stream: SignalStream, members: Mapping[str, object], now: int) -> SignalStream:
    if members.get("delivery") is not None:
        stream = _with_delivery(rules, stream, members["delivery"])
    if members.get("events_requested") is not None:
        stream = replace(stream, events_requested=_types(members["events_requested"]))
    if members.get("description") is not None:
        stream = replace(stream, description=_text("description", members["description"], MAX_TEXT))
    return replace(stream, updated_at=now)


def _with_delivery(rules: Rules, stream: SignalStream, value: object) -> SignalStream:
    if not isinstance(value, dict):
        _refuse("delivery", shown(value), "an object with a method")
    method, url = value.get("method"), value.get("endpoint_url")
    if method == POLL:
        # SSF 1.0 6.1.2: for poll the URL "is specified by the Transmitter".
        if url not in (None, "", poll_url(rules.issuer, stream.stream_id)):
            _refuse("endpoint_url", shown(url), "none: the server says where events are fetched")
        return replace(stream, method=POLL, endpoint_url="", sealed_authorization=None, verified_at=None)
    if method != PUSH:
        _refuse("delivery method", shown(method), " or ".join(METHODS))
    place = _url(rules, url)
    sealed = None
    if value.get("authorization_header") is not None:
        sealed = rules.seal(stream.stream_id, _header(value["authorization_header"]))
    elif place == stream.endpoint_url and "authorization_header" not in value:
        sealed = stream.sealed_authorization  # it is not shown, so whoever sends back what was shown keeps it
    # Another place has proved nothing: it must take a verification event before it is told anything of anybody.
    verified_at = stream.verified_at if place == stream.endpoint_url else None
    return replace(
        stream,
        method=PUSH,
        endpoint_url=place,
        sealed_authorization=sealed,
        verified_at=verified_at,
        attempts=0,
        due_at=0,
    )


def _url(rules: Rules, url: object) -> str:
    text = _text("endpoint_url", url, MAX_HEADER)
    try:
        parse_target(text, allow_http=rules.allow_http)
    except FetchRefused as error:
        _refuse("endpoint_url", shown(str(error)), "an https URL that can be reached from here")
    return text


def _header(value: object) -> str:
    text = _text("authorization_header", value, MAX_HEADER)
    if not text.isascii() or not text.isprintable() or text != text.strip():
        # A line break would let whoever chose it write further headers.
        _refuse("authorization_header", "a character that no header holds", "printable ASCII")
    return text


def _types(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_TYPES:
        _refuse("events_requested", shown(value), f"an array of at most {MAX_TYPES} URIs")
    return tuple(dict.fromkeys(_text("events_requested", one, MAX_TEXT) for one in value))


def _text(name: str, value: object, longest: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        _refuse(name, shown(value), f"a text of 1 to {longest} characters")
    return value


def _refuse(check: str, seen: str, expected: str) -> NoReturn:
    raise OAuthError(
        "invalid_request", f"{check} is not usable", check=check.replace(" ", "_"), seen=seen, expected=expected
    )
