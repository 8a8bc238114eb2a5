"""The answers of the admin API that are no success, each with a code and one sentence; none repeats what was sent."""

from __future__ import annotations

import logging

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ostiary.admin.existing import NotThere
from ostiary.errors import OAuthError, Unavailable
from ostiary.user_authentication.accounts import NoSuchUser

NO_STORE = {"Cache-Control": "no-store"}

_log = logging.getLogger(__name__)
_CODES = {404: "not_found", 405: "method_not_allowed"}


def told_refusal(error: OAuthError) -> JSONResponse:
    """A refusal of the guard: RFC 6750 section 3, with the trace id."""
    body = {
        "error": error.code,
        "error_description": error.description,
        "trace": error.headers.get("Ostiary-Trace", ""),
    }
    return JSONResponse(body, status_code=error.status, headers={**error.headers, **NO_STORE})


def told_unavailable(error: Unavailable) -> JSONResponse:
    """A part has failed: nothing was admitted."""
    answer = _told(503, "temporarily_unavailable", "temporarily unavailable, try again")
    answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def too_large(limit: int) -> JSONResponse:
    """A body beyond the limit, or of a length that is no number."""
    return _told(413, "invalid_request", f"the body is larger than {limit} bytes")


def unsaid_length() -> JSONResponse:
    """A body that comes in pieces: nobody knows how large it becomes. RFC 9110 15.5.12."""
    return _told(411, "invalid_request", "the length of the body must be said: send Content-Length")


def doubled() -> JSONResponse:
    """A query with a parameter twice."""
    return _told(400, "invalid_request", "a parameter of the query stands twice: give each once")


async def refused(_: Request, error: Exception) -> JSONResponse:
    """OAuthError."""
    return told_refusal(error) if isinstance(error, OAuthError) else _fault(error)


async def unavailable(_: Request, error: Exception) -> JSONResponse:
    """Unavailable."""
    return told_unavailable(error) if isinstance(error, Unavailable) else _fault(error)


async def unusable(_: Request, error: Exception) -> JSONResponse:
    """ConfigurationError: its sentence is made for the operator, who is who asks here."""
    if isinstance(error, (NotThere, NoSuchUser)):
        return _told(404, "not_found", str(error))
    return _told(400, "invalid_request", str(error))


async def unfit(_: Request, error: Exception) -> JSONResponse:
    """RequestValidationError."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    where = [{"where": ".".join(map(str, fault["loc"])), "problem": fault["msg"]} for fault in faults]
    message = "; ".join(f"{fault['where']}: {fault['problem']}" for fault in where)
    body = {"error": "invalid_request", "error_description": message, "faults": where}
    return JSONResponse(body, status_code=422, headers=NO_STORE)


async def not_served(_: Request, error: Exception) -> JSONResponse:
    """No such route, or another method."""
    if not isinstance(error, HTTPException):
        return _fault(error)
    answer = _told(error.status_code, _CODES.get(error.status_code, "invalid_request"), str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


async def fault(_: Request, error: Exception) -> JSONResponse:
    """Anything else."""
    return _fault(error)


def _fault(error: Exception) -> JSONResponse:
    _log.error("the admin API failed: %s", type(error).__name__)
    return _told(500, "server_error", "something went wrong here; it is in the server's log")


def _told(status: int, code: str, description: str) -> JSONResponse:
    return JSONResponse({"error": code, "error_description": description}, status_code=status, headers=NO_STORE)
