"""The way of every request to an endpoint where clients authenticate: form, client, decision, one transaction, answer.

The decision is taken on what the registry has cached, before the transaction. Inside it the registry's position is
compared with the one read before: if anybody changed a client, key, API or grant meanwhile, it is taken anew. So what
is written is what was right at the moment of writing, and the transaction stays short. A transaction that the
database undid in favour of another (a deadlock) is treated alike: nothing of it stands, so it is decided anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from ostiary.authorization_server import form as forms
from ostiary.authorization_server import refusals
from ostiary.authorization_server.client_address import client_address
from ostiary.authorization_server.client_authentication import authenticate
from ostiary.authorization_server.client_authentication.base import Authenticated, refused
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.http import Request, Response
from ostiary.errors import OAuthError, Unavailable
from ostiary.protocol.checks import JTI
from ostiary.storage.base import Contended, Positions, UnitOfWork
from ostiary.trace import Trace

MAX_ATTEMPTS = 5
_FORM = b"application/x-www-form-urlencoded"

Answer = Callable[[UnitOfWork], Awaitable[Response]]
"""What is left to do in the transaction. Checks first: what it wrote before an OAuthError stays written."""

Handler = Callable[[AuthorizationServer, Request], Awaitable[Response]]


@dataclass(slots=True)
class Exchange:
    """One request on its way. ``caller`` and ``positions`` stand once the client is authenticated.

    now: seconds since the epoch; one reading of the clock for the whole request. writing: its transaction was begun.
    changes_registry: what is written is itself such a change. certificate_thumbprint: what its tokens are bound to.
    brief: see ``Storage.write``; alone: not any more, since it was undone with others.
    repeated: the values of the parameter that may repeat.
    """

    server: AuthorizationServer
    request: Request
    now: float
    trace: Trace
    refused_tag: str
    form: Mapping[str, str] = field(default_factory=dict)
    positions: Positions = field(default=Positions(-1, -1))
    caller: Authenticated | None = None
    writing: bool = False
    changes_registry: bool = False
    brief: bool = False
    alone: bool = False
    certificate_thumbprint: str = ""
    repeated: list[str] = field(default_factory=list)

    @property
    def client(self) -> Authenticated:
        """The authenticated caller."""
        if self.caller is None:
            raise Unavailable("client authentication", "asked for before it was made")
        return self.caller

    @property
    def address(self) -> str:
        """The sender's IP address, also behind a proxy; "" if it is not known."""
        return client_address(self.server, self.request)


Decide = Callable[[Exchange], Awaitable[Answer]]


def authenticated(
    kind: str,
    refused_tag: str,
    decide: Decide,
    *,
    public_clients: bool = False,
    changes_registry: bool = False,
    repeatable: str = "",
) -> Handler:
    """The handler of an endpoint: ``decide`` gets an authenticated exchange, may raise OAuthError, and writes nothing.

    kind: the kind of its traces; refused_tag: the audit tag of its refusals; changes_registry: its answer writes
    clients, keys, APIs or grants. public_clients: whether a client that is registered for ``none`` may use it;
    ``decide`` then must ask for no more than such a client may have. repeatable: the one parameter that may repeat.
    """

    async def handler(server: AuthorizationServer, request: Request) -> Response:
        exchange = Exchange(
            server, request, server.clock(), Trace(kind), refused_tag, changes_registry=changes_registry
        )
        try:
            exchange.form = read_form(request, repeated={repeatable: exchange.repeated} if repeatable else None)
            return await _decided(exchange, decide, public_clients)
        except Exception as error:
            return await refusals.answer(exchange, error)

    return handler


def read_form(
    request: Request, *, resources: list[str] | None = None, repeated: Mapping[str, list[str]] | None = None
) -> dict[str, str]:
    """The form of ``request``; resources, repeated: see ``form.parse``. Raises OAuthError("invalid_request")."""
    content_type = request.headers.get(b"content-type", b"")
    if content_type != _FORM and content_type.split(b";", 1)[0].strip().lower() != _FORM:
        forms.refuse("another content type", _FORM.decode())
    return forms.parse(request.body, resources=resources, repeated=repeated)


async def _decided(exchange: Exchange, decide: Decide, public_clients: bool) -> Response:
    server, request = exchange.server, exchange.request
    fault: Unavailable | None = None
    for _ in range(MAX_ATTEMPTS):
        exchange.caller = None
        exchange.positions = await server.registry.current()
        caller = await authenticate(
            server, request, exchange.form, exchange.trace, exchange.now, public_clients=public_clients
        )
        exchange.caller = caller
        # Anybody can name a public client; so that nobody takes its whole share, each address has one of its own.
        holder = caller.client.client_id + (f" {exchange.address}" if caller.is_public else "")
        with server.concurrency.slot(holder, caller.client.max_concurrency) as overload:
            try:
                response = await _once(exchange, decide, overload)
            except Contended as undone:
                response, fault, exchange.alone = None, undone, True
        if response is not None:
            return response
    raise fault or Unavailable("registry", "clients, keys or APIs change faster than a request is decided")


async def _once(exchange: Exchange, decide: Decide, overload: OAuthError | None) -> Response | None:
    answer = overload or await _decision(exchange, decide)
    exchange.writing = True
    async with exchange.server.storage.write(brief=exchange.brief and not exchange.alone) as work:
        if (await work.positions(changing=exchange.changes_registry)).registry != exchange.positions.registry:
            return None
        try:
            await _mark(work, exchange)
            if isinstance(answer, OAuthError):
                raise answer
            return await answer(work)
        except OAuthError as error:
            return await refusals.record_unless_flooded(work, exchange, error)


async def _decision(exchange: Exchange, decide: Decide) -> Answer | OAuthError:
    """What was decided; a refusal is kept until the transaction, where it leaves its mark."""
    try:
        return await decide(exchange)
    except OAuthError as error:
        return error


async def _mark(work: UnitOfWork, exchange: Exchange) -> None:
    caller = exchange.client
    if not caller.jti:
        return
    # "The authorization server MAY ensure that JWTs are not replayed by maintaining the set of used 'jti' values for
    # the length of time for which the JWT would be considered valid" RFC 7523 3; we do, in the transaction of the
    # answer.
    first = await work.replay.mark(
        caller.client.client_id,
        caller.jti,
        expires_at=caller.mark_until,
        usable_from=caller.usable_from,
        now=int(exchange.now),
    )
    if not first:
        raise refused(
            JTI,
            seen="a jti that was used before",
            expected="a new jti for each request",
            mend="make a new assertion for each request",
            public="the assertion was used before",
        )
