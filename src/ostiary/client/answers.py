"""Reading the authorization server's answers: RFC 6749 sections 5.1 and 5.2, RFC 9110 sections 10.2.3 and 15.4."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime

from ostiary.client.errors import ERROR_CODE, TokenRequestRefused
from ostiary.client.exchange import Answer, Question
from ostiary.errors import OstiaryError, Unavailable, VerificationError
from ostiary.protocol import strict_json
from ostiary.protocol.checks import shown

MAX_RETRY_AFTER = 300
_TRACE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def read_object(question: Question, answer: Answer) -> dict[str, object]:
    """The JSON object of a success (200).

    Raises TokenRequestRefused for an error of RFC 6749 5.2, Unavailable for 429 and 5xx, VerificationError for the
    rest.
    """
    require_success(question, answer)
    try:
        return strict_json.decode_object(answer.body)
    except VerificationError as error:
        raise unusable(question, error.seen, "a JSON object") from None


def require_success(question: Question, answer: Answer) -> None:
    """Raise, as ``read_object`` does, unless ``answer`` is a success whose body can be read."""
    if answer.status not in (200, 201, 204):
        raise refusal(question, answer)
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise unusable(question, "a compressed answer", "an answer as it was asked for, not compressed")


def refusal(question: Question, answer: Answer) -> OstiaryError:
    """The error to raise for an answer that is no success."""
    if answer.status in (429, 500, 502, 503, 504):
        return Unavailable(
            question.purpose, f"status {answer.status}{_trace_note(answer)}", retry_after=retry_after(answer)
        )
    if 300 <= answer.status < 400:
        # An assertion must not travel on to wherever the answer points (RFC 9700 section 4.12).
        return VerificationError(
            "redirect",
            f"the {question.purpose} redirects",
            seen=f"status {answer.status} at {question.url}",
            expected="an answer, never a redirect",
            mend="configure the issuer under its final URL",
        )
    code, description, trace = _error_members(answer)
    if code is None:
        return unusable(
            question, f"status {answer.status} at {question.url}", "an OAuth answer", mend="check the issuer"
        )
    return TokenRequestRefused(code, description, trace, status=answer.status)


def retry_after(answer: Answer) -> int:
    """The seconds that ``Retry-After`` asks for, between 1 and 300; 1 where it says nothing usable."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        seconds = float(value[:9])
    else:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            seconds = 1
    return int(min(max(seconds, 1), MAX_RETRY_AFTER))


def unusable(question: Question, seen: str, expected: str, *, mend: str = "") -> VerificationError:
    """The refusal of an answer that is not what the specification promises."""
    return VerificationError(
        "answer", f"unusable answer of the {question.purpose}", seen=seen, expected=expected, mend=mend
    )


def _error_members(answer: Answer) -> tuple[str | None, str, str | None]:
    try:
        members = strict_json.decode_object(answer.body)
    except VerificationError:
        return None, "", None
    code, description, trace = (members.get(name) for name in ("error", "error_description", "trace"))
    return (
        code if isinstance(code, str) and ERROR_CODE.fullmatch(code) else None,
        shown(description) if isinstance(description, str) else "",
        trace if isinstance(trace, str) and _TRACE.fullmatch(trace) else None,
    )


def _trace_note(answer: Answer) -> str:
    trace = _error_members(answer)[2]
    return f", trace {trace}" if trace else ""
