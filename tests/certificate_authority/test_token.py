"""A CA key in a token by PKCS#11, held by SoftHSM2: it signs, it stays there, and a fault of it refuses."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from pkcs11 import Attribute, ObjectClass

from ostiary.certificate_authority import issuing, token_root
from ostiary.certificate_authority.founding import ROOT_LIFE
from ostiary.errors import ConfigurationError, Unavailable
from ostiary.key_management import pkcs11_uri
from ostiary.key_management.file import FileKeyManagement
from ostiary.key_management.key_encryption_key import create_key_encryption_key
from ostiary.key_management.token_thread import TokenThread
from tests.authorization_server.world import World
from tests.certificate_authority.authority import loaded
from tests.certificate_authority.token_authority import LABEL, TokenCa, token_authority
from tests.real_parts.softhsm import PIN


@pytest.fixture
def held(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenCa]:
    yield token_authority(world, tmp_path, monkeypatch.setenv)
    module = pkcs11._loaded.get(str(token_module()))
    if module is not None and module.initialized:
        module.finalize()


def token_module() -> Path:
    from tests.real_parts.softhsm import module

    return module()


def objects(held: TokenCa, kind: ObjectClass) -> list[Any]:
    """What somebody with the PIN finds in the token, by a connection of their own."""
    pkcs11.lib(str(held.hsm.module)).reinitialize()
    session = pkcs11.lib(str(held.hsm.module)).get_token(token_label=LABEL).open(user_pin=PIN)
    return list(session.get_objects({Attribute.CLASS: kind}))


@pytest.mark.parametrize("alg", ["ES256", "ES384", "RS256"])
def test_a_key_in_the_token_issues_what_openssl_verifies(held: TokenCa, alg: str, tmp_path: Path, openssl: str) -> None:
    record = held.add(alg)
    assert record.key_store == "pkcs11"
    assert pkcs11_uri.parse(record.wrapped_private_key.decode()).token == LABEL
    certificate = held.ca.issue()
    assert certificate.authority_id == record.authority_id
    for name, pem in {
        "root": held.ca.root_pem(),
        "issuing": issuing.pem(record.certificate),
        "leaf": loaded(certificate).public_bytes(Encoding.PEM),
    }.items():
        (tmp_path / f"{name}.pem").write_bytes(pem)
    command = [openssl, "verify", "-x509_strict", "-attime", str(int(held.world.clock())), "-CAfile", "root.pem"]
    done = subprocess.run(
        [*command, "-untrusted", "issuing.pem", "leaf.pem"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "leaf.pem: OK", done.stderr


def test_the_key_is_found_again_after_a_restart(held: TokenCa) -> None:
    record = held.add()
    held.restart()
    assert held.ca.issue().authority_id == record.authority_id


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
def test_the_key_cannot_be_taken_out_of_the_token(held: TokenCa, alg: str) -> None:
    held.add(alg)
    (private,) = objects(held, ObjectClass.PRIVATE_KEY)
    flags = [Attribute.SENSITIVE, Attribute.EXTRACTABLE, Attribute.NEVER_EXTRACTABLE, Attribute.ALWAYS_SENSITIVE]
    assert [private[flag] for flag in flags] == [True, False, True, True]
    with pytest.raises(pkcs11.AttributeSensitive):
        private[Attribute.VALUE if alg == "ES256" else Attribute.PRIVATE_EXPONENT]


def test_no_key_is_made_for_an_algorithm_that_the_token_does_not_do(held: TokenCa) -> None:
    with pytest.raises(ConfigurationError, match="choose one of ES256, ES384, RS256"):
        held.add("EdDSA")


def test_a_key_is_asked_for_in_a_token_only_if_one_is_configured(held: TokenCa) -> None:
    held.world.server.authorities.token = None
    with pytest.raises(ConfigurationError, match=r"certificate_authority\.pkcs11"):
        held.add()


def test_without_its_token_in_the_settings_an_authority_issues_nothing(held: TokenCa) -> None:
    held.add()
    held.restart_without_token()
    with pytest.raises(Unavailable, match=r"certificate_authority\.pkcs11"):
        held.ca.prepare()


# -- faults: they refuse, they say what to do, and they pass -----------------------------------------------------------


def test_a_wrong_pin_refuses_and_is_tried_once_only(held: TokenCa) -> None:
    held.add()
    wrong = held.pin_file.with_name("wrong-pin")
    wrong.write_text("0000-wrong")
    wrong.chmod(0o600)
    held.restart(pin_file=str(wrong))
    with pytest.raises(Unavailable, match="refuses the PIN"):
        held.ca.prepare()
    # Most tokens lock themselves after a few wrong PINs, SoftHSM does not: that it is not tried again shows when it
    # would be the right one by now.
    set_pin(held, PIN, "0000-wrong")
    for _ in range(3):
        with pytest.raises(Unavailable, match="refuses the PIN"):
            held.ca.prepare()
    set_pin(held, "0000-wrong", PIN)
    wrong.write_text(PIN)
    held.ca.issue()


def set_pin(held: TokenCa, old: str, new: str) -> None:
    """Give the token another PIN, by a connection of its owner's."""
    library = pkcs11.lib(str(held.hsm.module))
    library.reinitialize()
    library.get_token(token_label=LABEL).open(rw=True, user_pin=old).set_pin(old, new)
    library.reinitialize()


def test_the_pin_is_in_no_message(held: TokenCa, caplog: pytest.LogCaptureFixture) -> None:
    held.add()
    wrong = held.pin_file.with_name("wrong-pin")
    wrong.write_text("0000-wrong")
    wrong.chmod(0o600)
    held.restart(pin_file=str(wrong))
    with pytest.raises(Unavailable) as refused:
        held.ca.prepare()
    told = caplog.text + str(refused.value) + repr(held.settings(pin_file=None, pin=PIN))
    assert "0000-wrong" not in told
    assert PIN not in told


def test_a_pin_file_that_others_can_read_is_refused(held: TokenCa) -> None:
    held.add()
    held.restart()
    held.pin_file.chmod(0o644)
    with pytest.raises(Unavailable, match="chmod 600"):
        held.ca.prepare()


def test_a_token_that_is_gone_refuses_and_issues_again_when_it_is_back(held: TokenCa) -> None:
    held.add()
    held.restart()
    with held.hsm.removed():
        pkcs11.lib(str(held.hsm.module)).reinitialize()
        with pytest.raises(Unavailable, match="connect it"):
            held.ca.prepare()
        # The rest of the server runs on.
        held.world.add_client("shop")
        assert held.world.run(held.world.server.registry.current()).registry > 0
    held.ca.issue()


def test_a_connection_that_broke_is_made_again(held: TokenCa) -> None:
    held.add()
    held.ca.issue()
    pkcs11.lib(str(held.hsm.module)).reinitialize()  # every session and handle is void now, as after a loss of power
    held.ca.issue()


def test_a_key_that_was_deleted_from_the_token_is_named(held: TokenCa) -> None:
    record = held.add()
    for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
        pkcs11.lib(str(held.hsm.module)).reinitialize()
        session = pkcs11.lib(str(held.hsm.module)).get_token(token_label=LABEL).open(rw=True, user_pin=PIN)
        for one in list(session.get_objects({Attribute.CLASS: kind})):
            one.destroy()
    held.restart()
    uri = record.wrapped_private_key.decode()
    with pytest.raises(Unavailable, match="has no key") as refused:
        held.ca.prepare()
    assert uri in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "mend"),
    [
        ({"module": "/usr/lib/no-such-module.so"}, r"certificate_authority\.pkcs11\.module"),
        ({"module": "/bin/true"}, r"certificate_authority\.pkcs11\.module"),
        ({"token": "another"}, "connect it, or correct"),
    ],
)
def test_making_a_key_says_what_is_wrong_with_the_settings(held: TokenCa, changes: dict[str, Any], mend: str) -> None:
    held.restart(**changes)
    with pytest.raises(ConfigurationError, match=mend):
        held.add()


def test_the_key_of_another_token_is_not_looked_for_in_this_one(held: TokenCa) -> None:
    held.add()
    held.hsm.make_token("another")
    held.restart(token="another")
    with pytest.raises(Unavailable, match="stands in the token 'ostiary'"):
        held.ca.prepare()


# -- a slow token, and many at once ------------------------------------------------------------------------------------


def test_many_sign_at_once(held: TokenCa) -> None:
    held.add()
    wanted = [held.ca.wanted("server", f"host-{number}.example.com") for number in range(40)]

    async def all_at_once() -> list[Any]:
        authorities, now = held.world.server.authorities, held.world.clock()
        return await asyncio.gather(*(issuing.prepare(authorities, one, now) for one in wanted))

    made = held.world.run(all_at_once())
    assert len({one.record.serial for one in made}) == 40


def test_a_slow_token_does_not_hold_the_event_loop_and_is_given_up(held: TokenCa) -> None:
    held.add()
    thread, stuck = TokenThread(), threading.Event()
    held.restart(thread, timeout=0.2)

    async def issue_meanwhile() -> int:
        blocked = asyncio.ensure_future(thread.run(stuck.wait, 5))
        turns = 0
        refusal = asyncio.ensure_future(issuing.prepare(held.world.server.authorities, held.ca.wanted(), 0.0 + now))
        while not refusal.done():
            turns += 1
            await asyncio.sleep(0)
        stuck.set()
        await blocked
        with pytest.raises(Unavailable, match=r"within 0\.2 s"):
            await refusal
        return turns

    now = held.world.clock()
    assert held.world.run(issue_meanwhile()) > 10
    held.ca.issue()


def test_behind_a_full_queue_nobody_waits() -> None:
    thread, stuck, begun = TokenThread(max_waiting=1), threading.Event(), threading.Event()

    def hang() -> bool:
        begun.set()
        return stuck.wait(5)

    waiting = [threading.Thread(target=thread.call, args=(work, 5)) for work in (hang, lambda: None)]
    waiting[0].start()
    begun.wait(5)
    waiting[1].start()
    while thread._waiting.empty():
        time.sleep(0)
    with pytest.raises(Unavailable, match="1 calls wait"):
        thread.call(lambda: None, 5)
    stuck.set()
    for one in waiting:
        one.join()
    assert thread.call(lambda: 7, 5) == 7


# -- beside it ---------------------------------------------------------------------------------------------------------


def test_wrapping_the_keys_anew_leaves_the_token_alone(held: TokenCa, tmp_path: Path) -> None:
    record = held.add()
    new = create_key_encryption_key(tmp_path / "new-kek")
    held.world.run(held.world.signing_keys.rewrap(new))
    held.world.run(held.world.server.authorities.refresh())
    after = held.world.server.authorities.record(record.authority_id)
    assert after is not None
    assert after.wrapped_private_key == record.wrapped_private_key
    held.ca.issue()


def test_an_authority_may_move_from_file_to_token_and_back(held: TokenCa) -> None:
    stores = []
    for add in (held.ca.add_issuing, held.add, held.ca.add_issuing):
        add()
        held.ca.issue()
        stores.append(held.ca.authorities.issuing().record.key_store)
    assert stores == ["file", "pkcs11", "file"]


def test_a_root_may_stand_in_the_token_and_is_opened_by_its_uri(held: TokenCa) -> None:
    token, now = held.token(), held.world.clock()
    root, uri = held.world.run(token_root.make(token, "Example", "ES384", now))
    assert root.certificate.not_valid_after_utc.timestamp() == int(now) + ROOT_LIFE
    pem = root.certificate.public_bytes(Encoding.PEM)
    opened = held.world.run(token_root.from_token(pem, held.token(), uri))
    held.ca.root = opened
    assert held.add().parent == held.ca.authorities.issuing().record.parent
    held.ca.issue()


def test_the_key_of_another_root_is_refused(held: TokenCa) -> None:
    token, now = held.token(), held.world.clock()
    _, uri = held.world.run(token_root.make(token, "Example", "ES256", now))
    other, _ = held.world.run(token_root.make(token, "Example", "ES256", now))
    pem = other.certificate.public_bytes(Encoding.PEM)
    with pytest.raises(ConfigurationError, match="does not belong"):
        held.world.run(token_root.from_token(pem, token, uri))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pkcs11:",
        "pkcs11:token=a",
        "file:object=a",
        "pkcs11:object=a;object=b",
        "pkcs11:object=a;type=public",
        "pkcs11:object=a;pin-value=1",
        "pkcs11:object=%FF",
    ],
)
def test_what_names_no_private_key_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        pkcs11_uri.parse(text)


def test_a_uri_reads_as_it_was_written() -> None:
    name = pkcs11_uri.Pkcs11Uri("my token;1", b"\x00\xff", "a=b")
    assert pkcs11_uri.parse(name.text()) == name
    assert pkcs11_uri.parse(replace(name, key_id=b"").text()) == replace(name, key_id=b"")


def test_the_file_key_management_opens_no_token_key(held: TokenCa) -> None:
    record = held.add()
    management = FileKeyManagement.from_settings(held.world.settings.keys)
    with pytest.raises(ConfigurationError):
        management.signer("kid", "ca", record.alg, record.wrapped_private_key)
