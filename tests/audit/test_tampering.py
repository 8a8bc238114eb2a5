"""Whoever changes the database behind Ostiary's back is found out, by the finding that names what was done.

standards API10 (tamper-evident audit log); attack: every column, every place, cuts, copies, forged segments.
"""

import sqlite3
from pathlib import Path

import pytest

from ostiary.audit import head as heads
from ostiary.protocol.jwk import SigningKey
from tests.audit.log import Log

ROW = "SELECT writer FROM audit_events ORDER BY number LIMIT 1"


def test_an_untouched_log_verifies(sealed: Log) -> None:
    report = sealed.verify()
    assert report.good
    assert (report.rows, report.segments, report.exported, report.unsealed) == (10, 3, 3, 0)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", 1_800_000_000_050),
        ("tag", "token:issued"),
        ("outcome", "allowed"),
        ("actor", "somebody-else"),
        ("target", "another-jti"),
        ("key_thumbprint", "another-key"),
        ("reason", "signature"),
        ("trace_id", "tr_other"),
        ("details", '{"resource":"https://other.example.com"}'),
        ("details", '{"added":"1","resource":"https://orders.example.com"}'),
    ],
)
def test_an_altered_fact_is_found_in_its_segment(sealed: Log, column: str, value: object) -> None:
    sealed.tamper(f"UPDATE audit_events SET {column} = ? WHERE number = 6", value)  # noqa: S608
    assert sealed.found() == [("rows_altered", "segment 2")]


def test_an_altered_digest_of_personal_data_is_found(sealed: Log) -> None:
    sealed.tamper("UPDATE audit_events SET personal_digest = ? WHERE number = 6", b"\x00" * 32)
    assert sealed.kinds() == {"rows_altered", "personal_altered"}


@pytest.mark.parametrize("column", ["details", "personal"])
def test_a_column_made_unreadable_is_found(sealed: Log, column: str) -> None:
    sealed.tamper(f"UPDATE audit_events SET {column} = '{{' WHERE number = 6")  # noqa: S608
    assert sealed.found() == [("rows_altered", "segment 2")]


@pytest.mark.parametrize(("column", "value"), [("personal", '{"address":"203.0.113.9"}'), ("personal_salt", b"salt")])
def test_altered_personal_data_are_found_by_their_digest(sealed: Log, column: str, value: object) -> None:
    sealed.tamper(f"UPDATE audit_events SET {column} = ? WHERE number = 6", value)  # noqa: S608
    (found,) = sealed.found()
    assert found[0] == "personal_altered"
    assert found[1].endswith(":6")


def test_personal_data_given_to_a_row_that_had_none_are_found(log: Log) -> None:
    log.fill(4, personal=False)
    log.seal()
    log.tamper("UPDATE audit_events SET personal = '{}', personal_salt = x'00' WHERE number = 2")
    assert log.kinds() == {"personal_altered"}


def test_personal_data_that_vanish_without_a_record_are_found(sealed: Log) -> None:
    sealed.tamper("UPDATE audit_events SET personal = NULL, personal_salt = NULL WHERE number = 6")
    (found,) = sealed.found()
    assert found[0] == "personal_unrecorded_erasure"
    assert found[1].endswith(":6")


@pytest.mark.parametrize("number", [1, 4, 5, 6, 10])
def test_a_removed_row_is_named(sealed: Log, number: int) -> None:
    ((writer,),) = sealed.ask(ROW)
    sealed.tamper("DELETE FROM audit_events WHERE number = ?", number)
    assert sealed.found() == [("row_removed", f"{writer}:{number}")]


def test_a_row_moved_to_another_tenant_is_removed(sealed: Log) -> None:
    sealed.tamper("UPDATE audit_events SET tenant = 'other' WHERE number = 6")
    assert sealed.kinds() == {"row_removed"}


def test_a_row_taken_out_of_its_segment_is_named(sealed: Log) -> None:
    sealed.tamper("UPDATE audit_events SET segment = NULL, place = NULL WHERE number = 6")
    assert sealed.kinds() == {"row_removed"}


def test_a_renumbered_row_is_removed_here_and_inserted_there(sealed: Log) -> None:
    sealed.tamper("UPDATE audit_events SET number = 99 WHERE number = 6")
    assert sealed.kinds() == {"row_removed", "row_inserted"}


def test_an_inserted_row_is_named(sealed: Log) -> None:
    sealed.tamper(
        "INSERT INTO audit_events SELECT tenant, 'intruder', 1, at, tag, outcome, actor, target, key_thumbprint,"
        " reason, trace_id, details, personal, personal_salt, personal_digest, segment, 9 FROM audit_events"
        " WHERE number = 6"
    )
    assert sealed.found() == [("row_inserted", "intruder:1")]


def test_swapped_places_are_found(sealed: Log) -> None:
    sealed.tamper("UPDATE audit_events SET place = 1 - place WHERE segment = 2 AND place IN (0, 1)")
    assert sealed.found() == [("rows_reordered", "segment 2")]


def test_places_with_a_hole_are_found(sealed: Log) -> None:
    sealed.tamper("UPDATE audit_events SET place = place + 1 WHERE segment = 2")
    assert sealed.found() == [("rows_reordered", "segment 2")]


def test_rows_exchanged_between_segments_are_found(sealed: Log) -> None:
    sealed.tamper("UPDATE audit_events SET segment = 3 - segment WHERE number IN (1, 5)")
    assert sealed.kinds() == {"row_removed", "row_inserted"}


@pytest.mark.parametrize(("column", "value"), [("row_count", 5), ("sealed_at", 5)])
def test_an_altered_segment_is_found_by_its_signature(sealed: Log, column: str, value: int) -> None:
    sealed.tamper(f"UPDATE audit_segments SET {column} = ? WHERE segment = 2", value)  # noqa: S608
    assert sealed.found() == [("segment_altered", "segment 2")]


def test_an_altered_head_breaks_the_chain_and_differs_from_the_exported_one(sealed: Log) -> None:
    sealed.tamper("UPDATE audit_segments SET head = ? WHERE segment = 2", b"\x01" * 32)
    assert {("segment_altered", "segment 2"), ("head_differs", "segment 2"), ("segment_chain", "segment 3")} <= set(
        sealed.found()
    )


def test_an_altered_previous_head_breaks_the_chain(sealed: Log) -> None:
    sealed.tamper("UPDATE audit_segments SET previous_head = ? WHERE segment = 2", b"\x01" * 32)
    assert {("segment_altered", "segment 2"), ("segment_chain", "segment 2")} <= set(sealed.found())


def test_an_altered_signature_is_found(sealed: Log) -> None:
    ((signature,),) = sealed.ask("SELECT signature FROM audit_segments WHERE segment = 2")
    forged = str(signature)[:-8] + ("A" * 7) + str(signature)[-1]
    sealed.tamper("UPDATE audit_segments SET signature = ? WHERE segment = 2", forged)
    assert sealed.found() == [("segment_signature", "segment 2")]


@pytest.mark.parametrize("segment", [1, 2])
def test_a_removed_segment_with_its_rows_is_found(sealed: Log, segment: int) -> None:
    sealed.tamper("DELETE FROM audit_events WHERE segment = ?", segment)
    sealed.tamper("DELETE FROM audit_segments WHERE segment = ?", segment)
    assert sealed.kinds() - {"segment_chain"} == {"segment_missing"}


def test_a_segment_called_dropped_without_a_record_is_found(sealed: Log) -> None:
    sealed.tamper("DELETE FROM audit_events WHERE segment = 1")
    sealed.tamper("UPDATE audit_segments SET dropped_at = 5 WHERE segment = 1")
    assert sealed.found() == [("dropped_unrecorded", "segment 1")]


def test_a_segment_dropped_from_the_middle_is_found(sealed: Log) -> None:
    sealed.tamper("DELETE FROM audit_events WHERE segment = 2")
    sealed.tamper("UPDATE audit_segments SET dropped_at = 5 WHERE segment = 2")
    assert ("dropped_out_of_order", "segment 2") in sealed.found()


def _cut(log: Log) -> None:
    log.tamper("DELETE FROM audit_events WHERE segment = 3")
    log.tamper("DELETE FROM audit_segments WHERE segment = 3")


def test_a_tail_cut_after_its_export_is_found(sealed: Log) -> None:
    _cut(sealed)
    assert sealed.found() == [("cut_off", "segment 3")]


def test_an_unexported_tail_that_its_writer_wrote_beyond_leaves_a_gap(log: Log) -> None:
    log.fill(8)
    log.seal()
    log.write(log.event(), log.event(1), log.event(2))
    ((writer,),) = log.ask("SELECT DISTINCT writer FROM audit_events WHERE segment IS NULL")
    log.tamper("DELETE FROM audit_events WHERE segment IS NULL AND number < 3")
    assert log.found() == [("writer_gap", f"{writer}:1")]


def test_a_row_removed_before_it_was_sealed_leaves_a_gap(log: Log) -> None:
    log.fill(5)
    log.tamper("DELETE FROM audit_events WHERE number = 3")
    log.seal()
    assert log.kinds() == {"writer_gap"}


def test_a_database_restored_from_an_older_copy_is_found(log: Log, tmp_path: Path) -> None:
    log.fill(4)
    log.seal()
    log.copy_database(tmp_path / "backup")
    log.fill(4)
    log.seal()
    log.restore_database(tmp_path / "backup")
    assert log.found() == [("cut_off", "segment 2")]


def test_a_restored_database_that_was_written_on_is_found(log: Log, tmp_path: Path) -> None:
    log.fill(4)
    log.seal()
    log.copy_database(tmp_path / "backup")
    log.fill(4)
    log.seal()
    log.restore_database(tmp_path / "backup")
    log.fill(3)
    log.seal(export=False)
    assert log.found() == [("head_differs", "segment 2")]


def test_a_segment_signed_by_a_foreign_key_is_found(sealed: Log) -> None:
    foreign = SigningKey.generate("ES256")
    ((signature,),) = sealed.ask("SELECT signature FROM audit_segments WHERE segment = 2")
    forged = heads.sign(heads.unverified(str(signature)), foreign)
    sealed.tamper("UPDATE audit_segments SET signature = ? WHERE segment = 2", forged)
    assert sealed.found() == [("segment_signature", "segment 2")]


def test_a_foreign_key_that_borrows_the_name_of_ours_is_found(sealed: Log) -> None:
    foreign = SigningKey.generate("ES256", kid=sealed.key.kid)
    ((signature,),) = sealed.ask("SELECT signature FROM audit_segments WHERE segment = 2")
    forged = heads.sign(heads.unverified(str(signature)), foreign)
    sealed.tamper("UPDATE audit_segments SET signature = ? WHERE segment = 2", forged)
    assert sealed.found() == [("segment_signature", "segment 2")]


def test_a_whole_log_rewritten_with_a_key_of_the_forger_is_found_by_the_exported_heads(sealed: Log) -> None:
    forger = SigningKey.generate("ES256")
    sealed.add_key(forger)
    sealed.tamper("UPDATE audit_events SET segment = NULL, place = NULL, actor = 'nobody'")
    sealed.tamper("DELETE FROM audit_segments")
    sealed.seal(forger, export=False)
    assert sealed.found() == [("head_differs", f"segment {number}") for number in (1, 2, 3)]


def test_a_segment_moved_from_another_installation_is_found(sealed: Log) -> None:
    sealed.tamper("UPDATE settings SET value = 'XXXXXX' WHERE name = 'installation_id'")
    assert {"segment_altered", "segment_chain"} <= sealed.kinds()


def test_a_segment_of_a_withdrawn_key_counts_only_if_it_was_exported(sealed: Log) -> None:
    sealed.tamper("UPDATE signing_keys SET state = 'withdrawn'")
    assert sealed.verify().good
    sealed.fill(2)
    sealed.seal(export=False)
    assert sealed.found() == [("segment_withdrawn_key", "segment 4")]


def test_unsealed_rows_are_named_and_are_a_finding_when_they_wait_too_long(sealed: Log) -> None:
    sealed.fill(3)
    report = sealed.verify()
    assert report.good
    assert (report.unsealed, report.unsealed_since) == (3, sealed.now * 1000)
    sealed.now += 120
    assert sealed.kinds() == {"sealing_behind"}


def test_the_database_file_in_these_tests_is_the_one_that_is_verified(sealed: Log) -> None:
    assert sqlite3.connect(sealed.database).execute("SELECT count(*) FROM audit_events").fetchone() == (10,)
