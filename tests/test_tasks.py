"""Tasks that run beside others end when they are told to, also those to which the word does not come at once."""

import asyncio

import pytest

from ostiary.tasks import end


async def _loses(cancellations: int) -> None:
    """Runs for ever, and goes on after so many cancellations, as a loop over a driver does that swallows them."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancellations -= 1
            if cancellations < 0:
                raise


async def _fails() -> None:
    raise ValueError("its own")


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_a_task_ends_however_many_cancellations_it_loses(lost: int) -> None:
    async def main() -> None:
        tasks = [asyncio.create_task(_loses(lost)), asyncio.create_task(_loses(0))]
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await end(tasks, again_after=0.01)
        assert all(task.cancelled() for task in tasks)

    asyncio.run(main())


def test_what_a_task_raises_is_its_own_and_said_to_nobody() -> None:
    complaints: list[object] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        task = asyncio.create_task(_fails())
        await asyncio.sleep(0)
        await end([task])

    asyncio.run(main())
    assert not complaints


def test_no_tasks_and_tasks_that_are_over_are_no_work() -> None:
    async def main() -> None:
        task = asyncio.create_task(_loses(0))
        await end([])
        await end([task])
        await end([task])

    asyncio.run(main())


def test_a_task_that_lets_go_of_something_is_not_disturbed_meanwhile() -> None:
    let_go = False

    async def slow_to_end() -> None:
        nonlocal let_go
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            let_go = True

    async def main() -> None:
        task = asyncio.create_task(slow_to_end())
        await asyncio.sleep(0)
        await end([task])

    asyncio.run(main())
    assert let_go


def test_whoever_is_cancelled_while_they_end_others_leaves_none_of_them_alive() -> None:
    """As a task that has tasks of its own, when it does not end at the first word."""

    async def main() -> None:
        inner = asyncio.create_task(_loses(2))

        async def outer() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await end([inner], again_after=0.01)

        ending = asyncio.create_task(outer())
        await asyncio.sleep(0)
        ending.cancel()
        await asyncio.sleep(0)
        ending.cancel()
        async with asyncio.timeout(5):
            await asyncio.wait([ending])
        assert (inner.cancelled(), ending.cancelled()) == (True, True)

    asyncio.run(main())
