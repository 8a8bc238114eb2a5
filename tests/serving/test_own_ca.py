"""The server's own certificate from its own CA: a key of this process alone, renewed before its end, or kept."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from ostiary.audit import tags
from ostiary.certificate_authority.name_constraints import NameConstraints
from ostiary.errors import ConfigurationError, Unavailable
from ostiary.revocation import revoke_certificate
from ostiary.serving.tls.from_own_ca import OWNER, OwnCaWatch, own_certificate
from ostiary.serving.tls.listener import ListenerTls
from tests.authorization_server.world import World
from tests.certificate_authority.authority import Ca, certificate_authority
from tests.certificate_authority.conftest import ca, world

HOST = "auth.example.com"
DAY = 86_400


__all__ = ["ca", "world"]


def watched(ca: Ca) -> tuple[ListenerTls, OwnCaWatch]:
    world = ca.world
    first = world.run(own_certificate(ca.authorities, [HOST], world.clock()))
    listener = ListenerTls("main", first)

    async def record(event: Any) -> None:
        async with world.storage.write() as work:
            await work.audit.append(event)

    return listener, OwnCaWatch(ca.authorities, [HOST], [listener], record, world.clock)


def test_the_certificate_is_for_the_host_and_in_the_inventory(ca: Ca, world: World) -> None:
    made = world.run(own_certificate(ca.authorities, [HOST], world.clock()))
    assert made.covers(HOST)
    assert len(made.chain) == 2
    [kept] = world.read(lambda work: work.certificates.latest())
    assert (kept.owner, kept.profile, kept.identities) == (OWNER, "server", (f"dns:{HOST}",))


def test_each_process_has_a_key_of_its_own(ca: Ca, world: World) -> None:
    one, two = (world.run(own_certificate(ca.authorities, [HOST], world.clock())) for _ in range(2))
    assert one.key != two.key


def test_it_is_renewed_at_two_thirds_of_its_life_and_not_before(ca: Ca, world: World) -> None:
    listener, watch = watched(ca)
    first = listener.certificate
    world.clock.now += 4 * DAY
    world.run(watch.look())
    assert listener.certificate is first
    world.clock.now += DAY
    world.run(watch.look())
    assert listener.certificate.thumbprint != first.thumbprint
    assert listener.certificate.key != first.key
    assert [row.tag for row in world.audit()].count(tags.TLS_CERTIFICATE_TAKEN) == 1


def test_it_is_renewed_when_its_authority_was_revoked(ca: Ca, world: World) -> None:
    from dataclasses import replace

    listener, watch = watched(ca)
    first = listener.certificate
    old = ca.authorities.issuing().record
    ca.add_issuing()
    world.run(watch.look())
    assert listener.certificate is first  # a retired authority's certificates stay good
    world.write(lambda work: work.authorities.replace(replace(old, state="revoked")))
    world.run(watch.look())
    assert listener.certificate.chain[1] != first.chain[1]


def test_it_is_renewed_when_it_was_revoked_itself(ca: Ca, world: World) -> None:
    listener, watch = watched(ca)
    first = listener.certificate
    world.run(watch.look())
    assert listener.certificate is first
    [kept] = world.read(lambda work: work.certificates.latest())
    world.write(lambda work: revoke_certificate(work, kept.serial, ca.act(), "superseded"))
    world.run(watch.look())
    assert listener.certificate.thumbprint != first.thumbprint
    second = listener.certificate
    world.run(watch.look())
    assert listener.certificate is second


def test_a_failure_keeps_the_certificate_in_use_and_is_tried_again(
    ca: Ca, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listener, watch = watched(ca)
    first = listener.certificate
    world.clock.now += 5 * DAY

    def gone(*_: object) -> Any:
        raise Unavailable("storage", "disk I/O error")

    with monkeypatch.context() as broken, caplog.at_level(logging.ERROR):
        broken.setattr(type(world.storage), "write", gone)
        world.run(watch.look())
    assert listener.certificate is first
    assert "not renewed" in caplog.text
    world.run(watch.look())
    assert listener.certificate is first  # not at once again
    world.clock.now += 11
    world.run(watch.look())
    assert listener.certificate is not first


def test_a_host_that_the_ca_may_not_certify_is_told_with_the_mend(world: World) -> None:
    ca = certificate_authority(world, constraints=NameConstraints(dns=("example.org",)))
    with pytest.raises(ConfigurationError, match="ostiary ca rotate --permit-dns"):
        world.run(own_certificate(ca.authorities, [HOST], world.clock()))


def test_without_a_ca_the_mend_is_to_make_one(world: World) -> None:
    with pytest.raises(ConfigurationError, match="ostiary ca init"):
        world.run(own_certificate(world.server.authorities, [HOST], world.clock()))
