"""The user's passkeys: one is added, or gets another name; removing one is ``factors``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from ostiary.audit import tags
from ostiary.authorization_server.endpoints.account.visit import PATH, Visit, visited
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.http import Response, json_response
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.model.factor import Factor
from ostiary.user_authentication import names, news, passkey_registration
from ostiary.user_authentication.passkey_registration import MAX_PASSKEYS
from ostiary.user_authentication.relying_party import relying_party

if TYPE_CHECKING:
    from ostiary.storage.base import UnitOfWork

_PASSKEYS = PATH + "/passkeys"


async def _passkeys(visit: Visit) -> Response:
    """The page; POST: the script has had a passkey made."""
    if visit.form is None:
        return await _show(visit)
    try:
        made = passkey_registration.made(visit.server, visit.secrets, visit.user, visit.form, visit.now)
        async with visit.write() as work:
            present = _of(await work.factors.of_user(visit.user.user_id))
            if len(present) < MAX_PASSKEYS:
                await made.keep(work, visit.act)
                await news.factor(visit.server, work, visit.user, "factor_added", "passkey", visit.now)
    except VerificationError as error:
        return await _refused(visit, error.check, "passkey_not_added")
    except ConfigurationError:
        return await _refused(visit, "registered", "passkey_known")
    if len(present) >= MAX_PASSKEYS:
        return await _refused(visit, "count", "passkeys_full")
    return visit.back("passkey_added")


async def _options(visit: Visit) -> Response:
    async with visit.server.storage.read() as work:
        factors = await work.factors.of_user(visit.user.user_id)
    return json_response(passkey_registration.options(visit.server, visit.secrets, visit.user, factors, visit.now))


async def _name(visit: Visit) -> Response:
    form = visit.form or {}
    name = names.shown(form.get("name", ""))
    async with visit.write() as work:
        present = await _own(work, visit, form.get("factor_id", ""))
        if present is None:
            return visit.back()
        await work.factors.rename(present.factor_id, name)
        details = {"factor_id": present.factor_id, "kind": present.kind, "changed": "name"}
        await work.audit.append(visit.act.event(tags.FACTOR_CHANGED, visit.user.user_id, **details))
    return visit.back("passkey_renamed")


async def _own(work: UnitOfWork, visit: Visit, factor_id: str) -> Factor | None:
    found = await work.factors.get(factor_id)
    return found if found is not None and found.user_id == visit.user.user_id and found.kind == "passkey" else None


async def _refused(visit: Visit, check: str, problem: str) -> Response:
    made = visit.act.event(tags.FACTOR_REFUSED, visit.user.user_id, kind="passkey")
    event = structs.replace(made, outcome="refused", reason=check)
    async with visit.server.storage.write() as work:
        await work.audit.append(event)
    return await _show(visit, status=400, problem=problem)


async def _show(visit: Visit, *, status: int = 200, problem: str = "") -> Response:
    async with visit.server.storage.read() as work:
        passkeys = _of(await work.factors.of_user(visit.user.user_id))
    possible = relying_party(visit.server.issuer) is not None and len(passkeys) < MAX_PASSKEYS
    return visit.show(
        "passkeys",
        status=status,
        passkeys=passkeys,
        name_max=names.MAX_SHOWN,
        options_url=visit.url("/passkeys/options") if possible else "",
        name_url=visit.url("/passkeys/name"),
        back_url=visit.url(),
        problem=problem,
    )


def _of(factors: Sequence[Factor]) -> list[Factor]:
    return [factor for factor in factors if factor.kind == "passkey"]


ENDPOINTS = (
    Endpoint("account_passkeys", _PASSKEYS, ("GET", "HEAD", "POST"), visited(_passkeys, recent=True)),
    Endpoint("account_passkey_options", _PASSKEYS + "/options", ("GET",), visited(_options, recent=True)),
    Endpoint("account_passkey_name", _PASSKEYS + "/name", ("POST",), visited(_name, recent=True)),
)
