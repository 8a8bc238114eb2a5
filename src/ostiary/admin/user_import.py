"""The import of users: in batches, each a unit of work; what does not fit is refused line by line, the rest is made.

A user who is there already stays as they are, so an import that broke off is run again as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from ostiary.admin.user_commands import ImportedUser, UserImport
from ostiary.authorization_server.password_hashing import check_importable
from ostiary.errors import ConfigurationError
from ostiary.revocation.act import Act
from ostiary.storage.base import Storage, UnitOfWork
from ostiary.user_authentication import accounts, names
from ostiary.user_authentication.standard_claims import STANDARD_CLAIMS


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one of the batch. user_id: "" for one that was refused; reason: why it was."""

    outcome: Literal["made", "there", "refused"]
    user_id: str = ""
    reason: str = ""


async def import_users(storage: Storage, command: UserImport, act: Act) -> list[Imported]:
    """What became of each of the batch, in its order. Raises Unavailable; then nothing of the batch was made."""
    async with storage.write() as work:
        return [await _imported(work, members, act) for members in command.users]


async def _imported(work: UnitOfWork, members: dict[str, Any], act: Act) -> Imported:
    try:
        user = _parsed(members)
        present = await work.users.by_name(names.username_key(user.username))
        if present is not None:
            return Imported("there", present.user_id)
        # Before anything is written: what was written before a refusal would stay.
        if user.password_hash is not None:
            check_importable(user.password_hash)
        facts = user.model_dump(exclude={"password_hash"})
        made = await accounts.create_user(work, **facts, act=act)
        if user.password_hash is not None:
            await accounts.set_password_hash(work, made.user_id, user.password_hash, act)
    except ConfigurationError as error:
        return Imported("refused", reason=str(error))
    return Imported("made", made.user_id)


def _parsed(members: dict[str, Any]) -> ImportedUser:
    claims = {name: value for name, value in members.items() if name in STANDARD_CLAIMS}
    rest = {name: value for name, value in members.items() if name not in claims}
    if claims and isinstance(rest.get("claims", {}), dict):
        rest["claims"] = {**rest.get("claims", {}), **claims}
    try:
        return ImportedUser.model_validate(rest)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        said = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
        raise ConfigurationError(said) from None
