"""The log: one JSON object a line, at the level that was chosen, and no credential in it, wherever it stood."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from ostiary.protocol import jws
from ostiary.protocol.jwk import SigningKey
from ostiary.serving import logs
from ostiary.trace import new_trace_id

KEY = SigningKey.generate("ES256")
TOKEN = jws.sign(b"{}", KEY, typ="at+jwt")
BODY = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg"
PEM = f"-----BEGIN PRIVATE KEY-----\n{BODY}\n{BODY}\n-----END PRIVATE KEY-----\n"
SECRETS = [TOKEN, PEM, "ost_at_abcdef_" + "0" * 49]
log = logging.getLogger("ostiary.test")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_event_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info")
    trace_id = new_trace_id()
    log.warning("%s\nis one line", "this", extra={"trace": trace_id, "other": "x"})
    [event] = lines(capsys)
    assert (event["trace"], "other" in event) == (trace_id, False)
    assert (event["level"], event["logger"]) == ("warning", "ostiary.test")
    assert event["event"].startswith("this")


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "warning")
    log.info("quiet")
    assert lines(capsys) == []


@pytest.mark.parametrize("secret", SECRETS, ids=["jws", "pem", "opaque"])
def test_no_credential_of_a_message_is_written(capsys: pytest.CaptureFixture[str], secret: str) -> None:
    logs.configure("json", "info")
    log.error("failed with %s", secret)
    written = capsys.readouterr().err
    assert "[credential]" in written
    assert BODY not in written
    assert secret not in written


@pytest.mark.parametrize("secret", SECRETS, ids=["jws", "pem", "opaque"])
@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_credential_of_an_exception_is_written(
    capsys: pytest.CaptureFixture[str], log_format: Any, secret: str
) -> None:
    logs.configure(log_format, "info")
    try:
        raise ValueError(f"cannot read {secret}")
    except ValueError:
        log.exception("failed")
    written = capsys.readouterr().err
    assert "[credential]" in written
    assert BODY not in written
    assert secret not in written
