"""Takes one security event of an upstream provider: verified, once, and what it ends here. SSF 1.0, CAEP 1.0, RISC 1.0.

An event ends what was there when it happened: one that comes late, or after others, leaves what began since alone. So
neither order nor repetition can do harm, and nothing that an event says is ever undone by another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ostiary.audit import tags
from ostiary.model.event import AuditEvent
from ostiary.model.received_signal import ReceivedSignal
from ostiary.protocol import checks, event_types, id_token, jws, security_event
from ostiary.protocol.checks import shown
from ostiary.protocol.security_event import SecurityEvent
from ostiary.protocol.subject_identifier import user_of
from ostiary.revocation import Act, revoke_grant, revoke_session
from ostiary.revocation.ended import NOTHING, Ended
from ostiary.settings.upstream import UpstreamSettings
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication.upstream.request import providers

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

PATH: Final = "/signals/"
"""Below our issuer, with the name of the provider after it: where it pushes to."""

AUTHENTICATION: Final = "authentication"
_CODES: Final = {
    AUTHENTICATION: "authentication_failed",
    checks.KEY: "invalid_key",
    checks.ALGORITHM: "invalid_key",
    checks.SIGNATURE: "invalid_key",
    checks.ISSUER: "invalid_issuer",
    checks.AUDIENCE: "invalid_audience",
}
"""RFC 8935 section 2.4; every other check is ``invalid_request``."""

MAX_AGE: Final = 7 * 86_400
"""Seconds after its making within which a token is taken, and for which its ``jti`` is kept."""

LEEWAY: Final = 60
"""Seconds by which a token may seem to be of the future."""

BEHIND: Final = id_token.MAX_AGE
"""Seconds by which the provider's clock may be behind ours: with that its ID tokens are still taken. So much later than
the event may a session here have begun and yet be meant; rather one too many ends than one too few."""

ABOUT_THE_STREAM: Final = frozenset((event_types.VERIFICATION, event_types.STREAM_UPDATED))

ENDS_SIGN_INS: Final = frozenset((event_types.SESSION_REVOKED, event_types.SESSIONS_REVOKED))
"""What was signed in to by this provider ends; what its users proved here themselves stays."""

ENDS_EVERYTHING: Final = frozenset(
    (event_types.ACCOUNT_DISABLED, event_types.ACCOUNT_PURGED, event_types.CREDENTIAL_COMPROMISE)
)
"""Every session and every grant of the user ends, those with ``offline_access`` too."""

WANTED: Final = (
    event_types.SESSION_REVOKED,
    event_types.CREDENTIAL_CHANGE,
    event_types.ACCOUNT_DISABLED,
    event_types.ACCOUNT_PURGED,
    event_types.CREDENTIAL_COMPROMISE,
)
"""What we ask providers for."""

_FED: Final = "fed"


@dataclass(frozen=True, slots=True)
class Source:
    """A provider that tells us events. name: of its settings."""

    name: str
    settings: UpstreamSettings
    audience: str

    @classmethod
    def of(cls, name: str, settings: UpstreamSettings) -> Source:
        """Of its settings: ``aud`` is our client_id there unless they say otherwise."""
        told = settings.signals.audience if settings.signals is not None else None
        return cls(name, settings, told or settings.client_id)


def error_code(check: str) -> str:
    """The registered error for the check that failed: RFC 8935 section 2.4, which RFC 8936 uses too."""
    return _CODES.get(check, "invalid_request")


async def verified(server: AuthorizationServer, source: Source, token: str) -> SecurityEvent:
    """What ``token`` tells. Raises VerificationError by the name of the check that failed; Unavailable."""
    parsed = jws.parse(token)
    key = await providers(server).key(source.settings, parsed.header)
    return security_event.verify(
        parsed,
        key,
        issuer=source.settings.issuer,
        audience=source.audience,
        now=server.clock(),
        max_age=MAX_AGE,
        leeway=LEEWAY,
    )


async def take(server: AuthorizationServer, source: Source, event: SecurityEvent) -> None:
    """Do what a verified event says, in one unit of work with the mark that it was taken. Raises Unavailable."""
    act = Act(f"upstream:{source.name}", server.clock(), event.event_type.rpartition("/")[2][:100])
    async with server.storage.write() as work:
        kept = ReceivedSignal(event.issuer, event.jti, int(event.issued_at) + MAX_AGE + LEEWAY)
        if not await work.received_signals.mark(kept):
            await _ignored(work, event, act, "taken before")
            return
        if event.event_type in ABOUT_THE_STREAM:
            await _ignored(work, event, act, f"it is about the stream: {shown(event.event.get('status', 'it works'))}")
            return
        user_id = await _user(work, source, event)
        if user_id is None:
            await _ignored(work, event, act, "its subject is linked to nobody here")
            return
        if not _has_effect(event):
            await _ignored(work, event, act, "it has no effect here")
            return
        ended = await _end(work, user_id, event, act)
        details = {"jti": shown(event.jti), "sessions": str(ended.sessions), "grants": str(ended.grants)}
        await work.audit.append(act.event(tags.UPSTREAM_SIGNAL_TAKEN, user_id, **details))
    server.on_event("upstream_signal", {"outcome": "taken"})


async def record_refusal(server: AuthorizationServer, source: Source, check: str, seen: str, expected: str) -> None:
    """Put on record that what was fetched from a provider was not taken."""
    told = {name: value[:200] for name, value in (("seen", seen), ("expected", expected)) if value}
    event = AuditEvent(
        tags.UPSTREAM_SIGNAL_REFUSED,
        "refused",
        int(server.clock() * 1000),
        actor=f"upstream:{source.name}",
        reason=check,
        personal=told,
    )
    async with server.storage.write() as work:
        await work.audit.append(event)
    server.on_event("upstream_signal", {"outcome": "refused"})


async def _user(work: UnitOfWork, source: Source, event: SecurityEvent) -> str | None:
    """Whom the subject is linked to. By issuer and subject alone: an address may be another person's here."""
    named = user_of(event.subject)
    if named is None or named[0] != source.settings.issuer:
        return None
    factor = await work.factors.by_lookup("upstream", " ".join(named))
    return factor.user_id if factor is not None else None


def _has_effect(event: SecurityEvent) -> bool:
    if event.event_type == event_types.CREDENTIAL_CHANGE:
        # CAEP 1.0 3.3: a credential that was added makes no session bad.
        return event.event.get("change_type") in ("revoke", "update", "delete")
    return event.event_type in ENDS_SIGN_INS | ENDS_EVERYTHING


async def _end(work: UnitOfWork, user_id: str, event: SecurityEvent, act: Act) -> Ended:
    """End what the event concerns and what was there when it happened."""
    everything = event.event_type in ENDS_EVERYTHING
    until = event.happened_at + BEHIND
    await work.users.hold(user_id)
    ended = NOTHING
    for session in await work.sessions.of_user(user_id):
        if session.auth_time <= until and (everything or _FED in session.amr):
            ended += await revoke_session(work, session.session_id, act)
    if everything:
        for grant in await work.grants.standing_of_user(user_id):
            if grant.created_at <= until:
                ended += await revoke_grant(work, grant.grant_id, act)
    return ended


async def _ignored(work: UnitOfWork, event: SecurityEvent, act: Act, why: str) -> None:
    details = {"type": shown(event.event_type), "jti": shown(event.jti), "why": why}
    await work.audit.append(act.event(tags.UPSTREAM_SIGNAL_IGNORED, "", **details))
