"""The subjects of a stream: a receiver wants to be told no more of a user, or again. SSF 1.0 section 8.1.3.

A receiver is told of every user whom it knows, so what is kept are those whom it removed. The answer never depends on
whether there is such a user: "Event Transmitters MAY return a '204' response even if they will not actually send any
events related to the subject" (section 9.1), so nobody can be probed for.
"""

from __future__ import annotations

from typing import Final

from ostiary.audit import tags
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.shared_signals.receiver import NO_CONTENT, Call, receivers_alone
from ostiary.authorization_server.http import Response
from ostiary.authorization_server.signals_resource import ADD_SUBJECT_PATH, REMOVE_SUBJECT_PATH
from ostiary.errors import OAuthError, VerificationError
from ostiary.protocol.checks import shown
from ostiary.protocol.subject_identifier import check_subject, user_of
from ostiary.storage.base import UnitOfWork

MAX_REMOVED: Final = 10_000
_LONGEST: Final = 255


async def _add(call: Call, work: UnitOfWork) -> Response:
    stream, subject = await call.stream(work), _subject(call)
    await work.signal_streams.add_subject(stream.stream_id, subject)
    await work.audit.append(call.event(tags.SIGNAL_SUBJECT_ADDED, stream.stream_id, sub=subject))
    return Response(200, NO_CONTENT, b"")


async def _remove(call: Call, work: UnitOfWork) -> Response:
    stream, subject = await call.stream(work), _subject(call)
    if await work.signal_streams.removed_subjects_reach(stream.stream_id, MAX_REMOVED):
        raise OAuthError(
            "invalid_request",
            "too many subjects are removed",
            check="subject",
            expected=f"fewer than {MAX_REMOVED}",
            mend="ask for fewer types of events instead",
        )
    await work.signal_streams.remove_subject(stream.stream_id, subject, at=int(call.now))
    await work.audit.append(call.event(tags.SIGNAL_SUBJECT_REMOVED, stream.stream_id, sub=subject))
    return Response(204, NO_CONTENT, b"")


def _subject(call: Call) -> str:
    """``sub`` of the user as this receiver knows them. Raises OAuthError: another form, or another issuer's user."""
    try:
        checked = check_subject(call.members.get("subject"))
    except VerificationError as error:
        raise OAuthError.of(error) from None
    user = user_of(checked)
    if user is None or user[0] != call.server.issuer or len(user[1]) > _LONGEST:
        raise OAuthError(
            "invalid_request",
            "subjects are named by iss_sub, with this issuer",
            check="subject",
            seen=shown(checked),
            expected=f"format iss_sub, iss {call.server.issuer}",
        )
    return user[1]


ADD = Endpoint("ssf_add_subject", ADD_SUBJECT_PATH, ("POST",), receivers_alone(_add))
REMOVE = Endpoint("ssf_remove_subject", REMOVE_SUBJECT_PATH, ("POST",), receivers_alone(_remove))
