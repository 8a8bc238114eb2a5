"""Retention drops whole signed segments, erasure empties columns; both are on record, and the chain still verifies."""

import pytest

from ostiary.audit.erase import erase
from ostiary.audit.retention import Dropped, drop_older
from tests.audit.log import NOW, Log


def _drop(log: Log, before: int) -> Dropped:
    return log.run(lambda storage: drop_older(storage, before=before, now=log.now, actor="cli"))


def _erase(log: Log, **named: str) -> int:
    return log.run(lambda storage: erase(storage, by="cli", now=log.now, **named))


def test_old_segments_are_dropped_whole_and_the_rest_still_verifies(sealed: Log) -> None:
    sealed.now += 1000
    sealed.fill(4)
    sealed.seal()
    assert _drop(sealed, NOW + 1) == Dropped(segments=3, rows=10, first=1, last=3)
    report = sealed.verify()
    assert report.good
    assert (report.segments, report.dropped, report.rows) == (1, 3, 4)


def test_a_drop_is_an_event_of_the_log(sealed: Log) -> None:
    _drop(sealed, NOW + 1)
    assert sealed.ask("SELECT tag, actor, target FROM audit_events WHERE segment IS NULL") == [
        ("audit:dropped", "cli", "segments 1-3")
    ]


def test_nothing_young_is_dropped(sealed: Log) -> None:
    assert _drop(sealed, NOW) == Dropped()
    assert sealed.verify().rows == 10


def test_unsealed_rows_are_never_dropped(log: Log) -> None:
    log.fill(3)
    assert _drop(log, NOW + 10_000) == Dropped()
    assert log.ask("SELECT count(*) FROM audit_events") == [(3,)]


def test_dropping_again_and_again_stays_verifiable(sealed: Log) -> None:
    for _ in range(3):
        _drop(sealed, NOW + 1)
        sealed.seal()
        assert sealed.verify().good


def test_more_segments_than_one_batch_are_dropped(log: Log) -> None:
    log.rows_per_segment = 1
    log.fill(45)
    log.seal()
    assert _drop(log, NOW + 1).segments == 45
    assert log.verify().good


def test_a_row_left_over_in_a_dropped_segment_is_found(sealed: Log) -> None:
    _drop(sealed, NOW + 1)
    sealed.tamper("UPDATE audit_events SET segment = 2, place = 0")
    assert ("row_inserted", "segment 2") in sealed.found()


def test_personal_data_are_erased_by_actor_and_the_chain_still_verifies(sealed: Log) -> None:
    assert _erase(sealed, actor="orders-client") == 10
    assert sealed.ask("SELECT count(*) FROM audit_events WHERE personal IS NOT NULL OR personal_salt IS NOT NULL") == [
        (0,)
    ]
    assert sealed.verify().good


def test_nothing_of_what_was_erased_is_left_in_the_row(sealed: Log) -> None:
    _erase(sealed, target="jti-3")
    assert "192.0.2.3" not in str(sealed.ask("SELECT * FROM audit_events"))
    assert "192.0.2.4" in str(sealed.ask("SELECT * FROM audit_events"))


def test_an_erasure_is_an_event_that_names_the_rows_and_not_what_they_held(sealed: Log) -> None:
    ((writer,),) = sealed.ask("SELECT DISTINCT writer FROM audit_events")
    _erase(sealed, trace_id="tr_3")
    ((tag, actor, details),) = sealed.ask("SELECT tag, actor, details FROM audit_events WHERE segment IS NULL")
    assert (tag, actor, details) == ("audit:erased", "cli", f'{{"rows":"{writer}:4"}}')


def test_erasing_what_is_erased_does_nothing(sealed: Log) -> None:
    assert _erase(sealed, target="jti-3") == 1
    assert _erase(sealed, target="jti-3") == 0
    assert sealed.verify().good


def test_more_rows_than_one_batch_are_erased(log: Log) -> None:
    log.fill(250)
    log.seal()
    assert _erase(log, actor="orders-client") == 250
    assert log.verify().good


def test_an_erasure_names_its_rows(sealed: Log) -> None:
    with pytest.raises(ValueError, match="name the rows"):
        _erase(sealed)


def test_ten_thousand_rows_are_sealed_and_verified(log: Log) -> None:
    log.rows_per_segment = 500

    async def fill(storage: object) -> None:
        async with storage.write() as work:  # type: ignore[attr-defined]
            for number in range(10_000):
                await work.audit.append(log.event(number, personal=False))

    log.run(fill)
    assert log.seal() == 10_000
    report = log.verify()
    assert report.good
    assert (report.rows, report.segments) == (10_000, 20)
