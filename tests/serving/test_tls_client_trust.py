"""Who gets through the TLS door of the listener that asks for certificates, over real sockets, in TLS 1.2 and 1.3."""

from __future__ import annotations

import asyncio
import socket
import ssl
from itertools import pairwise
from pathlib import Path

import pytest
import uvloop

from ostiary.errors import ConfigurationError, Unavailable
from ostiary.serving.tls.client_trust import ClientTrust, kept_out, read_authorities
from ostiary.serving.tls.listener import ListenerTls
from tests.authorization_server.certificates import unknown_to_anybody
from tests.serving.certificates import CLIENT, DAY, SERVER, Issued, issue
from tests.serving.tls_house import GET, House, loaded, trusting

ROOT = issue("client root", ca=True)
ISSUING = issue("client issuing", ROOT, ca=True)
STRANGER = issue("stranger root", ca=True)
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def client(name: str = "client", issuer: Issued | None = None, **more: object) -> Issued:
    return issue(name, issuer, **{"usages": [CLIENT], "hosts": [], **more})  # type: ignore[arg-type]


class Registrations:
    """What clients have registered, as the application would tell it."""

    def __init__(self, *registered: Issued) -> None:
        self.now = tuple(one.der for one in registered)
        self.broken = False

    def change(self, *registered: Issued) -> None:
        self.now = tuple(one.der for one in registered)

    async def __call__(self) -> tuple[bytes, ...]:
        if self.broken:
            raise Unavailable("storage")
        return self.now


@pytest.fixture(params=VERSIONS, ids=lambda one: one.name)
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    found: ssl.TLSVersion = request.param
    return found


class Caller:
    """Calls one house; what came through, or why not."""

    def __init__(self, house: House, version: ssl.TLSVersion, folder: Path) -> None:
        self.house = house
        self._version = version
        self._folder = folder

    async def calls(self, shown: Issued | None) -> str:
        """``"let in"``, ``"let in without"``, or OpenSSL's reason."""
        context = trusting(self.house.issued)
        context.minimum_version = context.maximum_version = self._version
        if shown is not None:
            context.load_cert_chain(*shown.write(self._folder, "client"))
        seen, failed = len(self.house.app.scopes), len(self.house.failed)
        try:
            reader, writer = await self.house.connect(context)
            writer.write(GET)
            await reader.readuntil(b"ok")
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            error = self.house.failed[failed][1]
            assert isinstance(error, ssl.SSLCertVerificationError)
            return error.verify_message
        certificate = self.house.app.scopes[seen]["extensions"]["tls"]["client_certificate"]
        assert certificate == (None if shown is None else shown.der)
        return "let in without" if certificate is None else "let in"


def answers(
    folder: Path,
    version: ssl.TLSVersion,
    *shown: Issued | None,
    authorities: tuple[Issued, ...] = (ROOT,),
    registered: Registrations | None = None,
) -> list[str]:
    """What each of ``shown`` was answered by one house."""

    async def go() -> list[str]:
        trust = ClientTrust([one.certificate for one in authorities], registered or Registrations())
        house = House(trust=trust)
        async with house.open():
            caller = Caller(house, version, folder)
            return [await caller.calls(one) for one in shown]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(go())


def test_without_a_certificate_the_request_arrives_with_none(tmp_path: Path, version: ssl.TLSVersion) -> None:
    assert answers(tmp_path, version, None) == ["let in without"]


def test_a_chain_to_our_authority_is_let_in(tmp_path: Path, version: ssl.TLSVersion) -> None:
    assert answers(tmp_path, version, client(issuer=ROOT), client(issuer=ISSUING)) == ["let in", "let in"]


def test_an_issuer_that_we_know_need_not_be_sent(tmp_path: Path, version: ssl.TLSVersion) -> None:
    whole = client(issuer=ISSUING)
    alone = Issued(whole.certificate, whole.key)
    assert answers(tmp_path, version, alone, authorities=(ROOT, ISSUING)) == ["let in"]


_CONSTRAINED = issue("constrained", ca=True, permitted="ok.example")
_SHORT = issue("short", ca=True, path_length=0)


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (client(issuer=STRANGER), "unable to get local issuer certificate"),
        (client(), "self-signed certificate"),
        (client(issuer=ROOT, begins=-2 * DAY, ends=-DAY), "certificate has expired"),
        (client(issuer=ROOT, begins=DAY), "certificate is not yet valid"),
        (client(issuer=ROOT, usages=[SERVER]), "unsuitable certificate purpose"),
        (client(issuer=_CONSTRAINED, hosts=["bad.example"]), "permitted subtree violation"),
        (client(issuer=issue("below", _SHORT, ca=True)), "path length constraint exceeded"),
        (client(issuer=client("no authority", ROOT)), "invalid CA certificate"),
    ],
    ids=["stranger", "self-signed", "expired", "early", "purpose", "names", "path", "leaf-as-issuer"],
)
def test_a_chain_with_one_fault_is_refused_for_it(
    tmp_path: Path, version: ssl.TLSVersion, shown: Issued, reason: str
) -> None:
    """attack 50, 51; standards 81"""
    authorities = (ROOT, _CONSTRAINED, _SHORT)
    assert answers(tmp_path, version, shown, authorities=authorities) == [reason]


@pytest.mark.parametrize(
    ("above", "leaf", "reason"),
    [
        (issue("r", ca=True, permitted="ok.example"), ["bad.example"], "permitted subtree violation"),
        (issue("r", ca=True, path_length=0), [], "path length constraint exceeded"),
    ],
)
def test_an_authority_that_we_know_does_not_lift_what_is_restricted_above_it(
    tmp_path: Path, version: ssl.TLSVersion, above: Issued, leaf: list[str], reason: str
) -> None:
    below = issue("below", above, ca=True)
    shown = client(issuer=below, hosts=leaf)
    assert kept_out([above.certificate, below.certificate]) == [below.certificate]
    assert answers(tmp_path, version, shown, authorities=(above, below)) == [reason]


def test_restricted_two_steps_above_is_restricted() -> None:
    top = issue("top", ca=True, permitted="ok.example")
    middle = issue("middle", top, ca=True)
    bottom = issue("bottom", middle, ca=True)
    known = [one.certificate for one in (top, middle, bottom)]
    assert kept_out(known) == known[1:]


def test_an_authority_that_repeats_the_length_above_it_is_trusted_by_itself() -> None:
    top = issue("top", ca=True, path_length=1)
    below = issue("below", top, ca=True, path_length=0)
    assert kept_out([top.certificate, below.certificate]) == []


def test_registered_self_signed_ones_are_let_in_whatever_they_are_called(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """Two clients may have chosen the same name, and neither shuts out the other."""
    twins = [client("twin") for _ in range(3)]
    found = answers(tmp_path, version, *twins, client("twin"), registered=Registrations(*twins), authorities=())
    assert found == ["let in", "let in", "let in", "self-signed certificate"]


@pytest.mark.parametrize("name", ["client root", "Client  ROOT"])
def test_a_registered_one_with_an_authoritys_name_shuts_nobody_out(
    tmp_path: Path, version: ssl.TLSVersion, name: str
) -> None:
    """OpenSSL finds an issuer by its name without regard to case and white space."""
    impostors = [client(name) for _ in range(2)]
    shown = client(issuer=ROOT)
    assert answers(tmp_path, version, shown, impostors[0], registered=Registrations(*impostors)) == [
        "let in",
        "self-signed certificate",
    ]


def test_an_expired_registered_one_is_refused(tmp_path: Path, version: ssl.TLSVersion) -> None:
    old = client(begins=-2 * DAY, ends=-DAY)
    assert answers(tmp_path, version, old, registered=Registrations(old)) == ["certificate has expired"]


@pytest.mark.parametrize("octets", [b"nothing", *unknown_to_anybody(client().certificate)])
def test_a_registered_one_that_cannot_be_read_shuts_nobody_out(
    tmp_path: Path, version: ssl.TLSVersion, octets: bytes
) -> None:
    registered = Registrations()
    registered.now = (octets,)
    assert answers(tmp_path, version, client(issuer=ROOT), registered=registered) == ["let in"]


def test_the_next_handshake_knows_what_was_registered_and_what_was_taken_away(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    async def go() -> None:
        registrations, shown = Registrations(), client()
        house = House(trust=ClientTrust([ROOT.certificate], registrations))
        async with house.open():
            caller = Caller(house, version, tmp_path)
            assert await caller.calls(shown) == "self-signed certificate"
            registrations.change(shown)
            assert await caller.calls(shown) == "let in"
            registrations.broken = True  # what cannot be known has not changed; the application decides, and refuses
            assert await caller.calls(shown) == "let in"
            registrations.broken = False
            registrations.change()
            assert await caller.calls(shown) == "self-signed certificate"

    asyncio.run(go())


def test_the_door_is_built_anew_only_when_the_certificates_are_others() -> None:
    async def go() -> None:
        first, second = client(), client("second")
        registrations = Registrations(first)
        tls = ListenerTls("mtls", loaded(issue("server")), ClientTrust([ROOT.certificate], registrations))
        contexts = [await tls.context(), await tls.context()]
        for registered in ((first,), (second,), (second,), ()):
            registrations.change(*registered)
            contexts.append(await tls.context())
        assert [one is not before for before, one in pairwise(contexts)] == [False, False, True, False, True]

    asyncio.run(go())


def test_what_a_slow_look_found_is_not_trusted_beyond_its_own_handshake() -> None:
    """It was registered and retired again while two handshakes looked; the second one has seen the end of it."""

    async def go() -> None:
        looks: list[asyncio.Future[tuple[bytes, ...]]] = []

        def look() -> asyncio.Future[tuple[bytes, ...]]:
            looks.append(asyncio.get_running_loop().create_future())
            return looks[-1]

        tls = ListenerTls("mtls", loaded(issue("server")), ClientTrust([], look))
        handshakes = [asyncio.create_task(tls.context()) for _ in range(3)]
        await asyncio.sleep(0)
        trusted = []
        for found, handshake, registered in zip(looks, handshakes, ((client().der,), (), ()), strict=True):
            found.set_result(registered)
            trusted.append((await handshake).cert_store_stats()["x509"])
        assert trusted == [1, 0, 0]

    asyncio.run(go())


def test_nobody_whose_trust_ended_comes_back_by_a_session_of_before(tmp_path: Path) -> None:
    """TLS 1.2 resumes by session id; a new context knows none of them, and TLS 1.3 gives out no tickets."""

    def once(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession | None]:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as raw,
            context.wrap_socket(raw, server_hostname="localhost", session=session) as secured,
        ):
            secured.sendall(GET)
            answered = b""
            while not answered.endswith(b"ok"):
                answered += secured.recv(1000)
            found = bool(secured.session_reused), secured.session
            secured.unwrap()  # a session that was not closed in order is forgotten
            return found

    async def go() -> None:
        shown = client()
        registrations = Registrations(shown)
        house = House(trust=ClientTrust([ROOT.certificate], registrations))
        async with house.open():
            context = trusting(house.issued)
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.load_cert_chain(*shown.write(tmp_path, "client"))
            _, session = await asyncio.to_thread(once, house.port, context, None)
            reused, session = await asyncio.to_thread(once, house.port, context, session)
            assert reused
            assert [scope["extensions"]["tls"]["client_certificate"] for scope in house.app.scopes] == [shown.der] * 2
            registrations.change()
            with pytest.raises(OSError, match="alert unknown ca"):
                await asyncio.to_thread(once, house.port, context, session)
        [(_, error)] = house.failed
        assert isinstance(error, ssl.SSLCertVerificationError)

    asyncio.run(go())


def test_the_systems_own_authorities_are_never_trusted() -> None:
    """standards 81"""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ClientTrust([ROOT.certificate], Registrations()).ask_for_certificates(context)
    assert context.get_ca_certs(binary_form=True) == [ROOT.der]


def test_files_of_authorities_are_checked(tmp_path: Path) -> None:
    (tmp_path / "cas.pem").write_bytes(ROOT.chain + ISSUING.chain)
    assert len(read_authorities([tmp_path / "cas.pem"])) == 2
    (tmp_path / "leaf.pem").write_bytes(client().chain)
    with pytest.raises(ConfigurationError, match="no authority's certificate"):
        read_authorities([tmp_path / "leaf.pem"])
    (tmp_path / "text.pem").write_text("nothing")
    with pytest.raises(ConfigurationError, match="no certificate in PEM"):
        read_authorities([tmp_path / "text.pem"])
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_authorities([tmp_path / "missing.pem"])
