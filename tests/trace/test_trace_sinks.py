"""Sinks keep traces within bounds, whole, private, and never trouble the request; no record holds a credential."""

import base64
import json
import logging
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.errors import ConfigurationError, OAuthError, VerificationError
from ostiary.protocol import token_format
from ostiary.protocol.jwk import SigningKey
from ostiary.trace import Check, Trace, TraceRecord, new_trace_id
from ostiary.trace_sinks import FileSink, LogSink, MemorySink, find_in_file


def record(trace_id: str = "tr_1", *, public: str = "audience mismatch", outcome: str = "refused") -> TraceRecord:
    check = Check("audience", False, "https://a.example", "https://b.example", "ask for the right resource")
    return TraceRecord(trace_id, 1_800_000_000.0, "api", outcome, public, (check,), {"client_id": "shop"})


def test_a_record_is_found_again_as_it_was(tmp_path: Path) -> None:
    FileSink(tmp_path / "traces").record(record())
    assert find_in_file(tmp_path / "traces", "tr_1") == record()


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    FileSink(tmp_path / "folder" / "traces").record(record())
    assert (tmp_path / "folder" / "traces").stat().st_mode & 0o777 == 0o600


def test_the_files_stay_within_their_bound(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "traces", max_bytes=2000, keep=2)
    for number in range(200):
        sink.record(record(f"tr_{number}"))
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["traces", "traces.1", "traces.2"]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    assert sink.dropped == 0


def test_the_newest_records_are_the_ones_that_stay(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "traces", max_bytes=1000)
    for number in range(50):
        sink.record(record(f"tr_{number:03}"))
    assert find_in_file(tmp_path / "traces", "tr_049") is not None
    assert find_in_file(tmp_path / "traces", "tr_045") is not None
    assert find_in_file(tmp_path / "traces", "tr_000") is None


def test_without_older_files_only_the_present_one_is_kept(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "traces", max_bytes=1000, keep=0)
    for number in range(50):
        sink.record(record(f"tr_{number}"))
    assert [path.name for path in tmp_path.iterdir()] == ["traces"]


def test_lines_of_many_threads_never_mix_and_none_is_lost(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "traces", max_bytes=10_000_000)

    def write(thread: int) -> None:
        for number in range(50):
            sink.record(record(f"tr_{thread}_{number}", public="x" * 3000))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {json.loads(line)["trace_id"] for line in (tmp_path / "traces").read_text().splitlines()}
    assert len(found) == 400


def test_processes_share_a_file_while_it_is_turned_over(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from ostiary.trace import TraceRecord\n"
        "from ostiary.trace_sinks import FileSink\n"
        "sink = FileSink(Path(sys.argv[1]), max_bytes=5000, keep=100)\n"
        "for n in range(200): sink.record(TraceRecord(f'tr_{sys.argv[2]}_{n}', 1.0, 'api', 'refused', 'x' * 50))\n"
        "sys.exit(sink.dropped)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "traces")]
    running = [subprocess.Popen([*command, str(number)]) for number in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    lines = [line for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
    assert len({json.loads(line)["trace_id"] for line in lines}) == len(lines) == 600


def test_a_file_that_another_process_has_just_moved_aside_costs_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = FileSink(tmp_path / "traces", max_bytes=100)
    sink.record(record(public="x" * 100))
    turned_over = sink._turn_over

    def just_moved(descriptor: int) -> None:
        sink.path.rename(tmp_path / "traces.1")
        turned_over(descriptor)

    monkeypatch.setattr(sink, "_turn_over", just_moved)
    sink.record(record())
    assert sink.dropped == 0
    assert len(sink.path.read_text().splitlines()) == 1


def test_what_cannot_be_written_is_counted_and_troubles_nobody(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    sink = FileSink(tmp_path / "traces")
    sink.record(record())
    assert sink.dropped == 1


def test_a_record_that_cannot_be_encoded_is_counted(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "traces")
    sink.record(record(public="\ud800"))
    assert sink.dropped == 1


def test_an_oversized_record_is_counted_and_not_written(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "traces")
    sink.record(record(public="x" * 70_000))
    assert (sink.dropped, (tmp_path / "traces").exists()) == (1, False)


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "traces").symlink_to(tmp_path / "elsewhere")
    sink = FileSink(tmp_path / "traces")
    sink.record(record())
    assert sink.dropped == 1
    assert not (tmp_path / "elsewhere").exists()


def test_a_pipe_in_the_place_of_the_file_does_not_hang_the_request(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "traces")
    sink = FileSink(tmp_path / "traces")
    sink.record(record())
    assert sink.dropped == 1


def test_a_folder_that_cannot_be_made_is_told_at_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be made"):
        FileSink(tmp_path / "file" / "traces")


def test_a_damaged_line_does_not_hide_the_others(tmp_path: Path) -> None:
    path = tmp_path / "traces"
    path.write_bytes(b'{"trace_id":"tr_1", broken\n\xff\xfe tr_1\n')
    FileSink(path).record(record())
    assert find_in_file(path, "tr_1") == record()


def test_a_missing_trace_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="There is no trace file"):
        find_in_file(tmp_path / "traces", "tr_1")


def test_the_log_gets_one_line_a_record(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    LogSink(logging.getLogger("test")).record(record())
    LogSink(logging.getLogger("test")).record(record(outcome="fault"))
    assert [line.levelname for line in caplog.records] == ["INFO", "ERROR"]
    assert json.loads(caplog.records[0].getMessage())["trace_id"] == "tr_1"


def test_a_log_handler_that_raises_does_not_reach_the_request() -> None:
    class Broken(logging.Handler):
        def emit(self, line: logging.LogRecord) -> None:
            raise RuntimeError("disk full")

    logger = logging.Logger("broken")
    logger.addHandler(Broken())
    sink = LogSink(logger)
    sink.record(record())
    assert sink.dropped == 1


def test_memory_forgets_the_oldest() -> None:
    sink = MemorySink(limit=2)
    for number in range(3):
        sink.record(record(f"tr_{number}"))
    assert [kept.trace_id for kept in sink.records] == ["tr_1", "tr_2"]
    assert sink.find("tr_0") is None
    assert sink.find("tr_2") is not None


KEY = SigningKey.generate("ES256")
PEM = "-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(KEY.to_pkcs8()).decode() + "\n-----END PRIVATE KEY-----"
segment = st.binary(min_size=12, max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode())
header = st.sampled_from(['{"', '{ "', '{\n"', '{\r\n"', '{\t"']).map(
    lambda begin: base64.urlsafe_b64encode(f'{begin}alg":"ES256","kid":"a"}}'.encode()).rstrip(b"=").decode()
)
jwt = st.tuples(header, segment, segment).map(".".join)
secret = st.sampled_from(["at", "rt", "ak"]).map(lambda kind: token_format.generate("at", "A1b2C3"))
credential = st.one_of(jwt, secret, st.just(PEM))


@given(
    st.text(max_size=300), credential, st.text(max_size=300), st.sampled_from(["seen", "expected", "context", "note"])
)
def test_no_record_ever_holds_a_credential(before: str, credential: str, after: str, where: str) -> None:
    """standards 72: nothing secret in a trace."""
    value = f"{before} {credential} {after}"
    trace = Trace("token", {"client_id": value if where == "context" else "shop"})
    if where == "note":
        trace.note("format", value, value)
    seen, expected = (value if where == name else "" for name in ("seen", "expected"))
    for error in (
        VerificationError("audience", "audience mismatch", seen=seen, expected=expected),
        OAuthError("invalid_client", "client authentication failed", seen=seen, expected=expected),
    ):
        kept = str(trace.refuse(error, at=1.0))
        assert credential not in kept
        assert not re.search(r"eyJ[\w-]{8,}\.[\w-]{8,}|ost_[a-z]{2}_\w{8,}|BEGIN PRIVATE KEY-----\S", kept)
        assert all(part not in kept for part in credential.split(".")[2:])


@given(st.text(max_size=2000))
def test_a_redacted_value_is_short_and_printable(value: str) -> None:
    trace = Trace("token", {"value": value})
    kept = trace.refuse(VerificationError("format", "malformed"), at=1.0).context["value"]
    assert len(kept) <= 200
    assert kept.isprintable()


def test_trace_ids_are_unguessable() -> None:
    ids = {new_trace_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"tr_[A-Za-z0-9_-]{22}", one) for one in ids)
