"""Retention leaves one signed checkpoint in the place of what it dropped; whatever is wrong after it is still found."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from ostiary.audit import checkpoint as checkpoints
from ostiary.audit import head as heads
from ostiary.audit.export import HeadsFile
from ostiary.audit.head import Head
from ostiary.errors import ConfigurationError
from ostiary.protocol.jwk import SigningKey
from tests.audit.log import NOW, YOUNG, Log, another_head


def segments(log: Log) -> list[object]:
    return [number for (number,) in log.ask("SELECT segment FROM audit_segments ORDER BY segment")]


def in_file(log: Log) -> list[int]:
    return [heads.unverified(line).segment for line in log.heads.read_text().splitlines()]


def test_what_was_dropped_is_folded_in_the_database_and_in_the_file(folded: Log) -> None:
    assert segments(folded) == [4, 5, 6]
    assert in_file(folded) == [3, 4, 5, 6]
    assert folded.heads.read_text().splitlines()[0] == folded.checkpoint()
    assert folded.heads.stat().st_mode & 0o777 == 0o600


def test_a_folded_log_verifies_and_says_from_where_on(folded: Log) -> None:
    report = folded.verify()
    assert report.good, report.findings
    assert (report.rows, report.segments, report.dropped) == (8, 3, 3)
    assert (report.vouched_from, report.vouched_since) == (4, NOW)
    assert (report.exported, report.not_exported) == (6, 0)


def test_before_folding_the_report_says_from_where_on_too(old: Log) -> None:
    report = old.verify()
    assert (report.good, report.vouched_from, report.vouched_since) == (True, 4, NOW)


def test_the_chain_goes_on_after_folding(folded: Log) -> None:
    folded.fill(5)
    assert folded.seal() == 5
    report = folded.verify()
    assert report.good
    assert (report.exported, segments(folded)) == (8, [4, 5, 6, 7, 8])


def test_table_and_file_stay_small_however_long_it_goes(log: Log) -> None:
    for day in range(12):
        log.now = NOW + day * 86_400
        log.fill(9)
        log.seal()
        log.drop(log.now - 2 * 86_400)
        log.seal()
        log.fold()
        assert log.verify().good
    assert len(segments(log)) == len(in_file(log)) - 1 <= 3 * 4
    assert heads.unverified(log.checkpoint()).rows > 9 * 8


def test_folding_in_many_batches_is_the_same(old: Log) -> None:
    assert old.fold(batch=1) == 3
    assert in_file(old) == [3, 4, 5, 6]
    assert old.verify().good


def test_folding_again_does_nothing(folded: Log) -> None:
    before = folded.heads.stat()
    assert folded.fold() == 0
    assert os.path.samestat(folded.heads.stat(), before)


def test_segments_with_rows_are_not_folded(sealed: Log) -> None:
    assert sealed.fold() == 0
    assert segments(sealed) == [1, 2, 3]


def test_the_last_segment_stays_since_the_next_is_built_upon_it(sealed: Log) -> None:
    sealed.drop(NOW + 1)
    assert sealed.fold() == 2
    assert segments(sealed) == [3]
    sealed.seal()
    assert sealed.verify().good


def test_without_a_file_the_database_alone_is_folded(old: Log) -> None:
    old.heads.unlink()
    assert old.fold(file=False) == 3
    assert segments(old) == [4, 5, 6]


def test_what_is_not_exported_is_not_folded(log: Log) -> None:
    log.fill(10)
    log.seal(export=False)
    log.drop(NOW + 1)
    assert log.fold() == 0
    assert segments(log) == [1, 2, 3]


def test_rounds_without_rows_are_not_sealed(sealed: Log) -> None:
    assert [sealed.seal() for _ in range(3)] == [0, 0, 0]
    assert (segments(sealed), len(in_file(sealed))) == ([1, 2, 3], 3)


# -- what is wrong is not folded away ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_segments SET signature = substr(signature, 1, length(signature) - 8) || 'AAAAAAAA'"
        " WHERE segment = 2",
        "UPDATE audit_segments SET head = x'01' WHERE segment = 2",
        "UPDATE audit_segments SET previous_head = x'01' WHERE segment = 2",
        "UPDATE audit_segments SET row_count = 7 WHERE segment = 3",
        "DELETE FROM audit_segments WHERE segment = 1",
    ],
)
def test_a_segment_that_does_not_verify_is_not_folded(old: Log, statement: str) -> None:
    old.tamper(statement)
    before = (segments(old), old.heads.read_bytes())
    with pytest.raises(ConfigurationError, match="audit verify"):
        old.fold()
    assert (segments(old), old.heads.read_bytes()) == before


def test_a_segment_of_another_installation_is_not_folded(old: Log) -> None:
    old.tamper("UPDATE settings SET value = 'XXXXXX' WHERE name = 'installation_id'")
    with pytest.raises(ConfigurationError, match="audit verify"):
        old.fold()


def test_a_segment_that_was_exported_otherwise_is_not_folded(old: Log) -> None:
    """Somebody with the audit key rewrote the segments; the file of heads knows better."""
    lines = old.heads.read_text().splitlines()
    lines[1] = heads.sign(another_head(heads.unverified(lines[1])), old.key)
    old.heads.write_text("\n".join(lines) + "\n")
    with pytest.raises(ConfigurationError, match="not the one whose head was exported"):
        old.fold()
    assert segments(old) == [1, 2, 3, 4, 5, 6]


def test_segments_whose_last_head_the_file_lacks_are_not_folded(old: Log) -> None:
    lines = old.heads.read_text().splitlines(keepends=True)
    old.heads.write_text("".join(lines[:2] + lines[3:]))
    with pytest.raises(ConfigurationError, match="lacks segment 3"):
        old.fold()


def test_a_checkpoint_that_does_not_verify_is_not_built_upon(folded: Log) -> None:
    forged = heads.sign(heads.unverified(folded.checkpoint()), SigningKey.generate("ES256"), typ=heads.CHECKPOINT_TYP)
    folded.tamper("UPDATE settings SET value = ? WHERE name = 'audit_checkpoint'", forged)
    folded.now += 1000
    folded.drop(YOUNG + 1)
    with pytest.raises(ConfigurationError, match="audit verify"):
        folded.fold()


# -- writers ----------------------------------------------------------------------------------------------------------


def test_a_writer_that_goes_on_after_its_rows_were_folded_leaves_no_gap(log: Log) -> None:
    async def act(storage: Any) -> None:
        async def append(count: int) -> None:
            for number in range(count):
                async with storage.write() as work:
                    await work.audit.append(log.event(number))

        await append(9)
        await log.sealer(storage).seal_all()
        log.now = YOUNG
        await append(3)
        await log.sealer(storage).seal_all()

    log.run(act)
    log.drop(NOW + 1)
    log.seal()
    assert log.fold() == 3
    assert log.verify().good
    log.tamper("DELETE FROM audit_events WHERE number = 10")
    assert log.kinds() == {"row_removed"}


def test_a_gap_among_the_folded_rows_stays_a_finding(log: Log) -> None:
    log.fill(9)
    log.tamper("DELETE FROM audit_events WHERE number = 3")
    log.seal()
    log.now = YOUNG
    log.fill(1)
    log.seal()
    log.drop(NOW + 1)
    log.seal()
    log.fold()
    assert log.kinds() == {"writer_gap"}


def test_the_writers_in_a_checkpoint_are_bounded_and_those_seen_last_stay() -> None:
    key = SigningKey.generate("ES256")
    writers = {f"{number:016x}": [(1, 5), (7, 10_000_000 + number)] for number in range(20_000)}
    token = checkpoints.sign(Head("A1b2C3", 9, 9, "x", "y", writers, NOW), key)
    assert len(token) <= heads.MAX_LENGTH
    kept = heads.verify(token, {key.kid: key.verification_key}, typ=heads.CHECKPOINT_TYP).writers
    assert f"{19_999:016x}" in kept
    assert f"{0:016x}" not in kept


# -- the file ---------------------------------------------------------------------------------------------------------


def test_a_crash_between_database_and_file_is_mended_by_the_next_round(
    monkeypatch: pytest.MonkeyPatch, old: Log
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("power failure")

    with monkeypatch.context() as broken:
        broken.setattr(HeadsFile, "begin_with", crash)
        with pytest.raises(RuntimeError):
            old.fold()
    assert (segments(old), in_file(old)) == ([4, 5, 6], [1, 2, 3, 4, 5, 6])
    assert old.verify().good
    assert old.fold() == 0
    assert in_file(old) == [3, 4, 5, 6]
    assert old.verify().good


def test_a_half_written_new_file_is_no_hindrance(old: Log) -> None:
    old.heads.with_name("heads.new").write_text("torn")
    old.fold()
    assert in_file(old) == [3, 4, 5, 6]
    assert not old.heads.with_name("heads.new").exists()


def test_a_file_that_cannot_be_rewritten_stays_whole_and_is_told(monkeypatch: pytest.MonkeyPatch, old: Log) -> None:
    """Another owner guards it from us; then it keeps growing, and still vouches for everything."""
    before = old.heads.read_bytes()
    with monkeypatch.context() as other:
        other.setattr(os, "geteuid", lambda: old.heads.stat().st_uid + 1)
        with pytest.raises(ConfigurationError, match="belongs to another user"):
            old.fold()
    assert old.heads.read_bytes() == before
    assert old.verify().good


def test_a_torn_line_goes_and_a_damaged_one_stays_a_finding(old: Log) -> None:
    lines = old.heads.read_text().splitlines(keepends=True)
    old.heads.write_text("".join([lines[0][:40] + "\n", lines[0], "damaged\n", *lines[1:]]))
    old.fold()
    after = old.heads.read_text().splitlines(keepends=True)
    assert [after[1], *after[2:]] == ["damaged\n", *lines[3:]]
    assert old.found() == [("heads_damaged", "line 2")]


def test_a_head_appended_while_the_file_is_rewritten_is_not_lost(old: Log) -> None:
    """The appender has opened the old file and waits for it; when it gets it, there is a new one."""
    file = HeadsFile(old.heads)
    head = heads.unverified(old.heads.read_text().splitlines()[-1])
    next_head = Head(head.installation, 7, 1, head.head, "B" * 43, {"w": [(1, 1)]}, YOUNG)
    line = heads.sign(next_head, old.key)
    waiting = threading.Thread(target=lambda: HeadsFile(old.heads).append([(7, line)]))
    checkpoint = heads.sign(heads.unverified(old.heads.read_text().splitlines()[2]), old.key, typ=heads.CHECKPOINT_TYP)
    with file._locked(os.O_RDWR) as descriptor:
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        file._rewrite(descriptor, 3, checkpoint)
    waiting.join(5)
    assert in_file(old) == [3, 4, 5, 6, 7]


def test_a_file_begun_anew_begins_with_the_checkpoint(folded: Log) -> None:
    folded.heads.rename(folded.heads.with_name("aside"))
    folded.seal()
    assert in_file(folded) == [3, 4, 5, 6]
    assert folded.verify().good


def test_a_file_of_which_a_crash_kept_the_beginning_alone_is_gone_on_with(folded: Log) -> None:
    whole = folded.heads.read_text()
    folded.heads.write_text(whole.splitlines(keepends=True)[0])
    folded.seal()
    assert folded.heads.read_text() == whole


def test_a_copy_that_was_only_ever_appended_to_still_vouches(old: Log) -> None:
    """A log shipper that follows the file sends the checkpoint, and the heads after it, behind what it sent before."""
    sent = old.heads.read_text()
    old.fold()
    old.heads.write_text(sent + old.heads.read_text())
    assert old.verify().good
