"""What commands print, where, and with which exit code."""

from __future__ import annotations

import json

import pytest

from ostiary.cli.output import Format, fail, next_step, note, safe, show
from ostiary.client import TokenRequestRefused
from ostiary.errors import ConfigurationError, NotMine, OAuthError, OstiaryError, Unavailable, VerificationError

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TokenRequestRefused("invalid_client"), 1),
        (OAuthError("invalid_request", "twice"), 1),
        (VerificationError("issuer", "issuer mismatch"), 1),
        (NotMine("type", "wrong type"), 1),
        (OstiaryError("anything"), 1),
        (ConfigurationError("no such file"), 3),
        (Unavailable("storage"), 4),
        ("a sentence", 1),
    ],
    ids=str,
)
def test_each_error_has_its_exit_code(error: OstiaryError | str, code: int, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        fail(error)
    assert caught.value.code == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Error: ")


@pytest.mark.parametrize(
    ("error", "next_step"),
    [
        (Unavailable("storage", retry_after=5), "see whether it runs and is reached from here; try again in 5 s"),
        (Unavailable("storage", "held up", mend="end what holds it up"), "end what holds it up"),
    ],
    ids=["that nothing is known of", "with its mend"],
)
def test_a_part_that_does_not_answer_is_told_with_what_is_to_be_done(
    error: Unavailable, next_step: str, capsys: Capture
) -> None:
    with pytest.raises(SystemExit):
        fail(error)
    assert capsys.readouterr().err == f"Error: {error}\nNext: {next_step}\n"


def test_caller_may_choose_the_exit_code(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        fail("wrong", 2)
    assert caught.value.code == 2


def test_refusal_names_code_description_trace_and_the_next_command(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        fail(TokenRequestRefused("invalid_scope", "not granted", "tr_abc"))
    said = capsys.readouterr().err
    assert "invalid_scope: not granted (trace tr_abc)" in said
    assert "ostiary explain tr_abc" in said.splitlines()[-1]


def test_verification_error_tells_seen_expected_and_mend(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        fail(VerificationError("issuer", "issuer mismatch", seen="a", expected="b", mend="write b"))
    assert capsys.readouterr().err == "Error: issuer mismatch (issuer): seen a, expected b\nNext: write b\n"


def test_json_result_stands_alone_on_standard_output(capsys: Capture) -> None:
    show([{"name": "orders", "state": None}], Format.JSON)
    note("one client")
    next_step("ostiary client show orders")
    captured = capsys.readouterr()
    assert json.loads(captured.out) == [{"name": "orders", "state": None}]
    assert captured.err == "one client\nNext: ostiary client show orders\n"


def test_table_shows_the_named_columns(capsys: Capture) -> None:
    rows: list[dict[str, object]] = [
        {"name": "orders", "keys": ["k1", "k2"], "ok": True, "hidden": 1},
        {"name": "bills", "keys": [], "ok": None},
    ]
    show(rows, columns=["name", "keys", "ok"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["name", "keys", "ok"], ["orders", "k1", "k2", "yes"], ["bills", "-"]]


def test_object_is_shown_as_pairs(capsys: Capture) -> None:
    show({"kind": "reference", "active": False})
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [["kind", "reference"], ["active", "no"]]


def test_empty_list_says_so(capsys: Capture) -> None:
    show([])
    assert capsys.readouterr().out == "(none)\n"


def test_piped_output_has_no_colours_and_no_wrapped_lines(capsys: Capture) -> None:
    show({"long": "x" * 400})
    next_step("y" * 400)
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err
    assert "x" * 400 in captured.out
    assert "y" * 400 in captured.err


def test_control_characters_of_others_do_not_reach_the_terminal(capsys: Capture) -> None:
    show({"name": "\x1b[31mred\u202e"})
    note("[bold]\x07")
    captured = capsys.readouterr()
    assert captured.out.split() == ["name", "\ufffd[31mred\ufffd"]
    assert captured.err == "[bold]\ufffd\n"
    assert safe(7) == "7"
