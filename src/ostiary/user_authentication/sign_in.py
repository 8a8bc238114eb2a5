"""The way of a sign-in, whatever the method: an attempt is examined, and refused or taken; then the session begins.

An endpoint makes the ``Place``, asks ``first_attempt`` or ``second_attempt`` for the attempt, has a method prove it,
and hands what was proved to ``take``, or what was raised to ``refuse``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from msgspec import structs

from ostiary.audit import tags
from ostiary.authorization_server.authorization.answer import form_targets, see_other
from ostiary.authorization_server.browser import cookies, interaction
from ostiary.authorization_server.browser.cookies import BrowserSecrets, Header
from ostiary.authorization_server.browser.interaction import Interaction
from ostiary.authorization_server.client_address import client_address
from ostiary.authorization_server.form import parse
from ostiary.authorization_server.http import Request, Response
from ostiary.errors import VerificationError
from ostiary.model.event import AuditEvent
from ostiary.model.session import Session
from ostiary.model.user import User
from ostiary.protocol import token_format
from ostiary.revocation.act import Act
from ostiary.storage.base import UnitOfWork
from ostiary.trace import new_trace_id
from ostiary.user_authentication import news, second_factor, session
from ostiary.user_authentication import throttle as throttling
from ostiary.user_authentication.accounts import user_called
from ostiary.user_authentication.acr import ONE_FACTOR, acr_of, with_mfa
from ostiary.user_authentication.attempt import Alarm, Attempt, Method, Place, Proved
from ostiary.user_authentication.device import device_of
from ostiary.user_authentication.pages import render
from ostiary.user_authentication.relying_party import relying_party
from ostiary.user_authentication.session import SignIn
from ostiary.user_authentication.throttle import THROTTLED, Throttle, TooManyTries

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

SIGN_IN = "/sign-in"
SECOND_FACTOR = "/sign-in/second-factor"
PASSKEY_OPTIONS = "/sign-in/passkey-options"
CONTINUE = "/continue"
ACCOUNT = "account"
"""The name of the check that a disabled account fails; its owner is told no more than at a wrong password."""

MAX_TYPED = 254


def place_of(server: AuthorizationServer, request: Request) -> Place:
    """Where this request comes from. Raises VerificationError: its interaction is not this browser's, or too old."""
    secrets = cookies.read(server, request)
    now = server.clock()
    sealed = parse(request.query).get(interaction.PARAMETER, "")
    opened = interaction.unseal(server, sealed, secrets, now)
    return Place(server, request, secrets, opened, client_address(server, request), now)


async def begin_anew(server: AuthorizationServer, secrets: BrowserSecrets, path: str = SIGN_IN) -> Response:
    """Lead a browser that is in the middle of nothing to the page at ``path``, from where it goes to its account."""
    secrets, headers = await cookies.lasting(server, secrets)
    sealed = interaction.seal(server, Interaction(started_at=int(server.clock())), secrets)
    return see_other(interaction.url(server, path, sealed), headers)


async def first_attempt(place: Place, method: Method, form: dict[str, str]) -> Attempt:
    """An attempt of whoever is typed into the field ``username``, or named by the proof itself."""
    if method.whose is not None:
        async with place.server.storage.read() as work:
            user = await method.whose(work, form)
            factors = await work.factors.of_user(user.user_id) if user is not None else []
        return Attempt(place, form, user, tuple(factors))
    typed = form.get("username", "")[:MAX_TYPED]
    async with place.server.storage.read() as work:
        user = await user_called(work, typed)
        user_id = user.user_id if user is not None else ""
        factors = await work.factors.of_user(user_id)
        known = await work.sessions.known_browser(user_id, place.secrets.browser_digest)
        limits = await throttling.of_passwords(
            work,
            throttling.subject(typed),
            place.address,
            place.secrets.browser_digest if known is not None else None,
            place.now,
        )
    return Attempt(place, form, user, tuple(factors), limits)


async def half_way(place: Place) -> User | None:
    """Whose second proof is waited for: who gave the first one a moment ago, or whose session is to be stepped up."""
    async with place.server.storage.read() as work:
        earlier = await _earlier(work, place)
        return await work.users.get(earlier.user_id) if earlier is not None else None


async def second_attempt(place: Place, user: User, method: Method, form: dict[str, str]) -> Attempt:
    """An attempt of ``user`` to add a proof to the earlier ones."""
    async with place.server.storage.read() as work:
        factors = await work.factors.of_user(user.user_id)
        known = await work.sessions.known_browser(user.user_id, place.secrets.browser_digest)
        browser = place.secrets.browser_digest if known is not None else None
        limits = None
        if method.counted:
            limits = await throttling.of_codes(work, method.kind, user.user_id, browser, place.now)
    return Attempt(place, form, user, tuple(factors), limits)


async def take(place: Place, proved: Proved, *, throttle: Throttle | None = None, second: bool = False) -> Response:
    """Go on with a proof: to the second factor, or with a new session to where the browser was going.

    second: it comes on top of an earlier one. Raises VerificationError: what may be used once was used meanwhile, the
    account is disabled, or the earlier proof counts no more.
    """
    server = place.server
    new_secret = await cookies.new_secret(server, token_format.SESSION)
    async with server.storage.write() as work:
        # Checks first: what is written before a refusal stays written.
        user = await _active(work, proved.user_id)
        amr = (*(await _earlier_of(work, place, user) if second else ()), *proved.amr)
        await proved.confirm(work)
        if throttle is not None:
            await throttle.succeeded(work)
        factors = await work.factors.of_user(user.user_id)
        step_up = second and place.interaction.step_up
        # A step-up goes into its session, whose time of sign-in stays; whoever asked for it looks at what was reached,
        # and so they do where two factors are proved: what an application would like is asked for once.
        enough = second and acr_of(with_mfa(amr)) != ONE_FACTOR
        asking = not step_up and not enough
        if asking and second_factor.is_wanted(server.settings.sign_in, place.interaction, amr, factors):
            act = Act(f"user:{user.user_id}", place.now, personal=_personal(place))
            await work.audit.append(act.event(tags.SIGN_IN_BEGUN, user.user_id, amr=" ".join(amr)))
            return _half_way(place, user, amr, second_factor.first_proofs(factors))
        begun = await _begin(work, place, user, amr, new_secret, step_up=step_up)
    server.on_event("sign_in", {"outcome": "done"})
    done = Interaction(
        started_at=place.interaction.started_at,
        parameters=place.interaction.parameters,
        resources=place.interaction.resources,
        session_id=begun.session_id,
        signed_in_at=int(place.now),
    )
    return onward(place, CONTINUE, done, cookies.set_session(server, new_secret))


async def refuse(place: Place, method: Method, error: VerificationError, attempt: Attempt | None = None) -> None:
    """Put a refused attempt on record, and count it. attempt: None where the method does not know whom it is about.

    Who is refused has proved nothing, so of a flood of them only so many get rows (see ``unauthenticated``); who raises
    an alarm has shown more than a stranger could.
    """
    server = place.server
    throttle = attempt.throttle if attempt is not None and error.check != THROTTLED else None
    gets_row = isinstance(error, Alarm) or server.unauthenticated.gets_rows(place.address)
    if throttle is not None or gets_row:
        async with server.storage.write() as work:
            if throttle is not None:
                await throttle.failed(work, place.now)
            if gets_row:
                user = attempt.user if attempt is not None else None
                row = _refusal(place, method, error, user.user_id if user is not None else "")
                await work.audit.append(row)
                if isinstance(error, Alarm):
                    details = {**row.details, "factor_id": error.factor_id}
                    await work.audit.append(structs.replace(row, tag=error.tag, details=details))
    if not gets_row:
        server.unauthenticated.count(error, place.address, "sign-in", new_trace_id(), now=place.now)
    server.on_event("sign_in", {"outcome": "throttled" if error.check == THROTTLED else "refused"})


def _refusal(place: Place, method: Method, error: VerificationError, user_id: str) -> AuditEvent:
    return AuditEvent(
        tags.SIGN_IN_REFUSED,
        "refused",
        int(place.now * 1000),
        target=user_id,
        reason=error.check,
        details={"method": method.kind},
        personal=_personal(place),
    )


def onward(place: Place, path: str, state: Interaction, *headers: Header) -> Response:
    """To the page at ``path``, in the middle of ``state``."""
    sealed = interaction.seal(place.server, state, place.secrets)
    return see_other(interaction.url(place.server, path, sealed), headers)


def _personal(place: Place) -> dict[str, str]:
    return {"address": place.address} if place.address else {}


def _half_way(place: Place, user: User, amr: tuple[str, ...], first_proofs: str) -> Response:
    proved_at = place.interaction.proved_at if place.interaction.user_id == user.user_id else 0
    half = Interaction(
        started_at=place.interaction.started_at,
        parameters=place.interaction.parameters,
        resources=place.interaction.resources,
        user_id=user.user_id,
        amr=amr,
        proved_at=proved_at or int(place.now),
        first_proofs=first_proofs,
    )
    return onward(place, SECOND_FACTOR, half)


@dataclass(frozen=True, slots=True)
class _Earlier:
    user_id: str
    amr: tuple[str, ...]


async def _earlier(work: UnitOfWork, place: Place) -> _Earlier | None:
    """What was proved before: in this interaction, or, for a step-up, in the session that stands in this browser."""
    state = place.interaction
    if state.step_up:
        for one, _ in await session.of_browser(work, place.secrets, place.now):
            if one.session_id == state.session_id:
                return _Earlier(one.user_id, one.amr)
        return None
    if not state.user_id or place.now > state.proved_at + second_factor.LIFE:
        return None
    # A password that was changed meanwhile is no first proof any more.
    now_good = second_factor.first_proofs(await work.factors.of_user(state.user_id))
    return _Earlier(state.user_id, state.amr) if state.first_proofs == now_good else None


async def _earlier_of(work: UnitOfWork, place: Place, user: User) -> tuple[str, ...]:
    earlier = await _earlier(work, place)
    if earlier is None or earlier.user_id != user.user_id:
        raise VerificationError(
            "first_factor", "your sign-in has expired", seen="no first proof of this user", expected="a fresh one"
        )
    return earlier.amr


async def _active(work: UnitOfWork, user_id: str) -> User:
    user = await work.users.hold(user_id)
    if user is None or user.state != "active":
        raise VerificationError(ACCOUNT, "the account is disabled", seen="a disabled account", expected="an active one")
    return user


async def _begin(
    work: UnitOfWork, place: Place, user: User, amr: tuple[str, ...], new_secret: str, *, step_up: bool
) -> Session:
    signed_in = SignIn(
        user_id=user.user_id,
        amr=amr,
        digest=token_format.digest(new_secret),
        old_digest=place.secrets.session_digest,
        browser_digest=place.secrets.browser_digest,
        now=place.now,
        address=place.address,
        device=device_of(place.request),
        step_up=step_up,
    )
    begun, known = await session.begin(work, place.server.settings.sign_in, signed_in)
    if not known:
        await news.new_browser(place.server, work, user, begun, place.now)
    return begun


async def show(
    place: Place, template: str, path: str, *, status: int = 200, headers: tuple[Header, ...] = (), **context: object
) -> Response:
    """The page ``template``, served at ``path``; it gets ``action``, where its forms are sent to: the page itself."""
    parameters = place.interaction.parameters
    redirect_uri = parameters.get("redirect_uri")
    client = None
    if "client_id" in parameters:
        await place.server.registry.current()
        client = await place.server.registry.client(parameters["client_id"])
    return render(
        place.server,
        place.request,
        place.secrets,
        template,
        status=status,
        headers=headers,
        form_targets=form_targets(redirect_uri) if redirect_uri else (),
        ui_locales=parameters.get("ui_locales", ""),
        application=client.name if client is not None else "",
        action=url_of(place, path),
        **context,
    )


def url_of(place: Place, path: str) -> str:
    """The URL of the page at ``path`` in the state that this request came with."""
    return interaction.url(place.server, path, interaction.seal(place.server, place.interaction, place.secrets))


def passkey_options_url(place: Place) -> str:
    """Where the script of these pages gets what it needs to ask for a passkey; "" where passkeys do not work."""
    return url_of(place, PASSKEY_OPTIONS) if relying_party(place.server.issuer) is not None else ""


class Told(TypedDict):
    """What ``show`` is given of a refused attempt. problem: "", "throttled" or what the page calls a wrong proof."""

    status: int
    headers: tuple[Header, ...]
    problem: str
    minutes: int


def told(error: Exception | None, wrong: str) -> Told:
    """What a person learns of ``error``, None for none yet. wrong: the problem, unless they tried too often."""
    if error is None:
        return Told(status=200, headers=(), problem="", minutes=0)
    if isinstance(error, TooManyTries):
        headers = ((b"retry-after", str(error.wait).encode("ascii")),)
        return Told(status=429, headers=headers, problem="throttled", minutes=-(-error.wait // 60))
    return Told(status=400, headers=(), problem=wrong, minutes=0)
