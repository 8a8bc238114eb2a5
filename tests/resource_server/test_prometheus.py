"""What an API tells Prometheus of its revocation feeds."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from ostiary.resource_server.prometheus import RevocationCollector
from tests.resource_server.waiting import until
from tests.resource_server.world import World, bearer


def test_staleness_position_and_rows_are_told_for_each_feed(world: World) -> None:
    guard = world.following()
    registry = CollectorRegistry()
    registry.register(RevocationCollector(guard))
    labels = {"issuer": world.issuer.issuer}
    assert registry.get_sample_value("ostiary_revocation_feed_staleness_seconds", labels) == float("inf")
    assert guard.check_sync(bearer(world.token()))
    world.issuer.feed.revoke("jti", "other")
    until(lambda: registry.get_sample_value("ostiary_revocation_feed_position", labels) == 1)
    world.clock.now += 7
    assert registry.get_sample_value("ostiary_revocation_feed_staleness_seconds", labels) == 7
    assert registry.get_sample_value("ostiary_revocation_feed_rows", labels) == 1
    assert registry.get_sample_value("ostiary_revocation_feed_following", labels) == 1
    assert registry.get_sample_value("ostiary_revocation_feed_reconnects_total", labels) == 0


def test_a_guard_without_a_feed_tells_nothing(world: World) -> None:
    registry = CollectorRegistry()
    registry.register(RevocationCollector(world.guard()))
    assert world.issuer.issuer.encode() not in generate_latest(registry)
