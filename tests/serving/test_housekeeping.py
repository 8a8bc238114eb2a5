"""Chores go on whatever becomes of one of them, and nothing is left undone at the end."""

from __future__ import annotations

import asyncio
import logging

import pytest

from ostiary.serving.housekeeping import Chore, keep_house

LONG = 3600.0


def test_every_chore_runs_at_the_start_and_once_more_at_the_end() -> None:
    done: list[str] = []

    async def chore() -> None:
        done.append("chore")

    async def scenario() -> None:
        stop = asyncio.Event()
        house = asyncio.create_task(keep_house([Chore("a", LONG, chore), Chore("b", LONG, chore)], stop))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(done) == 2
        stop.set()
        await asyncio.wait_for(house, 5)

    asyncio.run(scenario())
    assert len(done) == 4


def test_a_chore_that_fails_is_logged_and_tried_again_and_disturbs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []
    thrice = asyncio.Event()

    async def failing() -> None:
        done.append("failing")
        if done.count("failing") == 3:
            thrice.set()
        raise RuntimeError("no")

    async def good() -> None:
        done.append("good")

    async def scenario() -> None:
        stop = asyncio.Event()
        house = asyncio.create_task(keep_house([Chore("failing", 0.0, failing), Chore("good", 0.0, good)], stop))
        await asyncio.wait_for(thrice.wait(), 5)
        stop.set()
        await asyncio.wait_for(house, 5)

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    assert done.count("good") >= 3
    assert "housekeeping failed: failing" in caplog.text
    assert "housekeeping failed: good" not in caplog.text
