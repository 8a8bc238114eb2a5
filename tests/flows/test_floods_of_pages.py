"""A stranger who asks for pages that are refused fills neither the log nor the database."""

from __future__ import annotations

import pytest

from ostiary.audit import tags
from ostiary.authorization_server.unauthenticated import LOG_LINES_PER_MINUTE
from tests.authorization_server.world import World


def test_refused_pages_are_counted_and_not_logged_one_by_one(world: World, caplog: pytest.LogCaptureFixture) -> None:
    asked = 2 * LOG_LINES_PER_MINUTE
    for _ in range(asked // 2):
        assert world.get("/continue").status == 400
        assert world.post("/sign-in", {}).status == 403
    assert len(caplog.records) <= LOG_LINES_PER_MINUTE
    assert world.run(world.server.unauthenticated.summarise(world.storage, now=world.clock())) == asked
    events = [row for row in world.audit() if row.tag == tags.REFUSALS_SUMMARISED]
    assert [event.target for event in events] == [f"{asked} refusals"]
    assert events[0].details["check csrf"] == str(asked // 2)
