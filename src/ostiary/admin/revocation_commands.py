"""What an operator ends by ``ostiary revoke``, as a typed, checked object; command line and admin API make the same."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ostiary.admin.commands import ClientId, Command
from ostiary.model import names

MAX_TOKEN = 65_536

Kind = Literal["client", "user", "session", "grant", "token", "key", "certificate"]
Name = Annotated[str, Field(min_length=1, max_length=MAX_TOKEN, repr=False), AfterValidator(names.one_line)]
Reason = Annotated[str, Field(max_length=500), AfterValidator(names.one_line)]


class NewRevocation(Command):
    """One thing to end, with all that hangs on it.

    name: an id; of a user the user name as well; of a token its ``jti``, or the token itself (access or refresh); of a
    client's key its thumbprint, or with ``client_id`` its kid; of a certificate its serial number. reason: for the
    audit log.
    """

    kind: Kind
    name: Name
    client_id: Annotated[ClientId | None, Field(description="whose key it is, where it is named by its kid")] = None
    reason: Reason = ""
