"""What all routes of the admin API share: paging, names in the path, and the forms of its refusals."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BaseModel

from ostiary.model.names import MAX_IDENTIFIER_LENGTH

# Nothing of a URL reaches the database that could not be a name; a control character could not even be asked for.
_NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"

Limit = Annotated[int, Query(ge=1, le=500)]
Page = Annotated[
    str, Query(max_length=MAX_IDENTIFIER_LENGTH, pattern=_NO_CONTROLS, description="the last id of the page before")
]
UserIdInPath = Annotated[str, Path(pattern=r"^usr_[A-Za-z0-9._~-]{1,64}$")]
UserOrName = Annotated[
    str, Query(min_length=1, max_length=256, pattern=_NO_CONTROLS, description="the id or the user name")
]
NameInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9._~-]{1,128}$")]
ClientIdInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9._~-]{1,64}$")]
TraceIdInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
IdentifierInQuery = Annotated[str, Query(max_length=MAX_IDENTIFIER_LENGTH, pattern=_NO_CONTROLS)]
Filter = Annotated[str | None, Query(max_length=MAX_IDENTIFIER_LENGTH, pattern=_NO_CONTROLS)]


class Refusal(BaseModel):
    """Why a request was refused; trace: for ``ostiary explain``, where there is one."""

    error: str
    error_description: str
    trace: str = ""


class Fault(BaseModel):
    """What does not fit, and where in the request."""

    where: str
    problem: str


class Unfit(Refusal):
    """A request that does not fit the schema."""

    faults: list[Fault]


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals that a route documents, beside those of the guard."""
    return {status: {"model": Unfit if status == 422 else Refusal} for status in (400, 401, 403, 503, *statuses)}
