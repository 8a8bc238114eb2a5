"""Whatever is done to the log after its old segments were folded into a checkpoint is found, as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostiary.audit import head as heads
from ostiary.audit.checkpoint import SETTING
from ostiary.audit.export import HeadsFile
from ostiary.audit.head import CHECKPOINT_TYP, Head
from ostiary.errors import ConfigurationError
from ostiary.protocol.jwk import SigningKey
from tests.audit.log import NOW, YOUNG, Log, another_head


def test_altered_rows_are_found_after_folding(folded: Log) -> None:
    folded.tamper("UPDATE audit_events SET actor = 'nobody' WHERE segment = 4 AND place = 0")
    assert folded.found() == [("rows_altered", "segment 4")]


def test_removed_rows_are_found_after_folding(folded: Log) -> None:
    folded.tamper("DELETE FROM audit_events WHERE segment = 5 AND place = 1")
    assert folded.kinds() == {"row_removed"}


@pytest.mark.parametrize("segment", [2, 3, 99])
def test_a_row_put_into_a_segment_that_there_is_not_is_found(folded: Log, segment: int) -> None:
    folded.tamper(
        "INSERT INTO audit_events SELECT tenant, 'intruder', 1, at, tag, outcome, actor, target, key_thumbprint,"
        " reason, trace_id, details, personal, personal_salt, personal_digest, ?, 0 FROM audit_events"
        " WHERE segment = 4 AND place = 0",
        segment,
    )
    assert folded.found() == [("row_inserted", f"segment {segment}")]


def test_a_cut_after_the_last_exported_head_is_found_after_folding(folded: Log) -> None:
    folded.tamper("DELETE FROM audit_events WHERE segment = 6")
    folded.tamper("DELETE FROM audit_segments WHERE segment = 6")
    assert ("cut_off", "segment 6") in folded.found()


def test_the_first_segment_after_the_checkpoint_cannot_be_removed(folded: Log) -> None:
    folded.tamper("DELETE FROM audit_events WHERE segment = 4")
    folded.tamper("DELETE FROM audit_segments WHERE segment = 4")
    assert ("segment_missing", "segment 4") in folded.found()


def test_a_removed_checkpoint_is_found(folded: Log) -> None:
    folded.tamper("DELETE FROM settings WHERE name = 'audit_checkpoint'")
    assert ("segment_missing", "segment 1") in folded.found()


def test_a_forged_checkpoint_is_found(folded: Log) -> None:
    genuine = heads.unverified(folded.checkpoint())
    forged = heads.sign(genuine, SigningKey.generate("ES256", kid=folded.key.kid), typ=heads.CHECKPOINT_TYP)
    folded.tamper("UPDATE settings SET value = ? WHERE name = 'audit_checkpoint'", forged)
    assert ("checkpoint_signature", "checkpoint") in folded.found()


def test_the_head_of_a_segment_cannot_pass_for_a_checkpoint(old: Log) -> None:
    """Else whoever writes the database could fold what retention never dropped, rows and all."""
    [[signature]] = old.ask("SELECT signature FROM audit_segments WHERE segment = 5")
    old.tamper("INSERT INTO settings (tenant, name, value) VALUES ('default', 'audit_checkpoint', ?)", signature)
    assert ("checkpoint_signature", "checkpoint") in old.found()


def test_an_older_checkpoint_of_ours_is_found(folded: Log) -> None:
    older = folded.checkpoint()
    folded.now += 1000
    folded.drop(YOUNG + 1)
    folded.seal()
    assert folded.fold() > 0
    assert folded.verify().good
    folded.tamper("UPDATE settings SET value = ? WHERE name = 'audit_checkpoint'", older)
    assert "segment_missing" in folded.kinds()


def test_a_checkpoint_of_another_installation_is_found(folded: Log) -> None:
    genuine = heads.unverified(folded.checkpoint())
    other = Head("XXXXXX", genuine.segment, genuine.rows, genuine.previous_head, genuine.head, genuine.writers, NOW)
    signed = heads.sign(other, folded.key, typ=heads.CHECKPOINT_TYP)
    folded.tamper("UPDATE settings SET value = ? WHERE name = 'audit_checkpoint'", signed)
    assert ("checkpoint_signature", "checkpoint") in folded.found()


def test_a_checkpoint_that_differs_from_the_exported_head_is_found(folded: Log) -> None:
    """Somebody with the audit key, but without the file, folded another history."""
    signed = heads.sign(another_head(heads.unverified(folded.checkpoint())), folded.key, typ=heads.CHECKPOINT_TYP)
    folded.tamper("UPDATE settings SET value = ? WHERE name = 'audit_checkpoint'", signed)
    assert ("head_differs", "segment 3") in folded.found()


def test_a_file_without_its_beginning_is_found(folded: Log) -> None:
    lines = folded.heads.read_text().splitlines(keepends=True)
    folded.heads.write_text("".join(lines[1:]))
    assert folded.found() == [("heads_missing", "segment 3")]


def test_a_checkpoint_of_a_withdrawn_key_counts_only_if_it_was_exported(folded: Log) -> None:
    folded.tamper("UPDATE signing_keys SET state = 'withdrawn'")
    assert folded.verify().good
    lines = folded.heads.read_text().splitlines(keepends=True)
    folded.heads.write_text("".join(lines[1:]))
    assert folded.found() == [("segment_withdrawn_key", "segment 3")]


def test_a_fold_whose_drop_no_event_records_is_found(folded: Log) -> None:
    """The rows vanished by another hand than retention's: the event of the drop was never sealed."""
    folded.tamper("UPDATE audit_events SET details = '{}' WHERE tag = 'audit:dropped'")
    assert "dropped_unrecorded" in folded.kinds()


def test_a_database_restored_from_before_the_fold_verifies_if_nothing_is_lost(old: Log, tmp_path: Path) -> None:
    old.copy_database(tmp_path / "backup")
    old.fold()
    old.restore_database(tmp_path / "backup")
    assert old.verify().good
    old.fill(4)
    old.seal()
    assert old.verify().good


def test_a_database_restored_from_before_newer_heads_is_found(old: Log, tmp_path: Path) -> None:
    old.copy_database(tmp_path / "backup")
    old.fold()
    old.fill(4)
    old.seal()
    old.restore_database(tmp_path / "backup")
    assert old.found() == [("cut_off", "segment 7")]


# -- the file outside is not erased by whoever writes the database ----------------------------------------------------


def _put(log: Log, checkpoint: str) -> bytes:
    log.tamper("INSERT OR REPLACE INTO settings (tenant, name, value) VALUES ('default', ?, ?)", SETTING, checkpoint)
    return log.heads.read_bytes()


def _reaching(log: Log, segment: int, head: str) -> Head:
    """A checkpoint up to ``segment`` that nothing was folded for."""
    last = heads.unverified(log.heads.read_text().splitlines()[-1])
    return Head(last.installation, segment, 1, last.previous_head, head, {}, NOW)


def test_a_forged_checkpoint_does_not_erase_the_exported_heads(old: Log) -> None:
    """It tells the last segment as the file does, but the key is nobody's."""
    last = heads.unverified(old.heads.read_text().splitlines()[-1])
    forged = heads.sign(_reaching(old, last.segment, last.head), SigningKey.generate("ES256"), typ=CHECKPOINT_TYP)
    before = _put(old, forged)
    with pytest.raises(ConfigurationError, match="audit verify"):
        old.fold()
    assert old.heads.read_bytes() == before


def test_the_head_of_a_segment_does_not_take_the_place_of_the_exported_heads(old: Log) -> None:
    before = _put(old, old.heads.read_text().splitlines()[-1])
    with pytest.raises(ConfigurationError, match="audit verify"):
        old.fold()
    assert old.heads.read_bytes() == before


@pytest.mark.parametrize(("segment", "head"), [(6, "A" * 43), (99, "A" * 43)])
def test_a_checkpoint_that_the_file_tells_otherwise_does_not_erase_it(old: Log, segment: int, head: str) -> None:
    """Whoever writes the database can put a key of their own among the audit keys, and sign with it."""
    theirs = SigningKey.generate("ES256")
    old.add_key(theirs, state="retired")
    before = _put(old, heads.sign(_reaching(old, segment, head), theirs, typ=CHECKPOINT_TYP))
    with pytest.raises(ConfigurationError, match="stays as it is"):
        old.fold()
    assert old.heads.read_bytes() == before


def test_a_file_that_begins_with_a_later_checkpoint_stays_as_it_is(folded: Log) -> None:
    """Another process has folded more between our look at the database and at the file."""
    before, checkpoint = folded.heads.read_bytes(), folded.checkpoint()
    older = heads.sign(_reaching(folded, 2, "A" * 43), folded.key, typ=CHECKPOINT_TYP)
    assert HeadsFile(folded.heads).begin_with(2, older) is False
    assert (folded.heads.read_bytes(), folded.checkpoint()) == (before, checkpoint)


def test_a_forged_checkpoint_does_not_pass_a_cut_database_for_a_folded_one(sealed: Log) -> None:
    """It tells what the last exported head tells, so that the sealer would go on and bury the loss."""
    last = heads.unverified(sealed.heads.read_text().splitlines()[-1])
    forged = heads.sign(last, SigningKey.generate("ES256"), typ=CHECKPOINT_TYP)
    sealed.tamper("DELETE FROM audit_segments")
    before = _put(sealed, forged)
    sealed.fill(2)
    with pytest.raises(ConfigurationError, match="not ours"):
        sealed.seal()
    assert sealed.heads.read_bytes() == before


def test_a_new_file_does_not_begin_with_a_forged_checkpoint(folded: Log) -> None:
    forged = heads.sign(heads.unverified(folded.checkpoint()), SigningKey.generate("ES256"), typ=CHECKPOINT_TYP)
    _put(folded, forged)
    folded.heads.unlink()
    with pytest.raises(ConfigurationError, match="not ours"):
        folded.seal()
    assert not folded.heads.exists()
