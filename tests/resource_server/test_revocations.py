"""What is known as ended: looked up exactly, and dropped only when no clock can bring the token back."""

from __future__ import annotations

import pytest

from ostiary.errors import VerificationError
from ostiary.protocol.revocation_feed import Kind, Row
from ostiary.resource_server.principal import Principal
from ostiary.resource_server.revocations import MARGIN, Revocations

NOW = 1_000_000
LEEWAY = 10


def revocations(*rows: Row, issued_at: int = NOW, instant: float = 50) -> Revocations:
    made = Revocations(LEEWAY)
    made.add(rows, issued_at=issued_at, instant=instant)
    return made


def caller(**changed: object) -> Principal:
    usual: dict[str, object] = {
        "client_id": "shop",
        "subject": "usr_1",
        "scopes": frozenset(),
        "issuer": "https://auth.example.com",
        "audience": ("https://orders.example.com",),
        "token_id": "jti-1",
        "expires_at": NOW + 300,
        "grant_id": "gr_1",
        "rev": 5,
        "kid": "sk_1",
        "claims": {"sid": "ses_1", "client_key": "thumb-1", "cnf": {"x5t#S256": "cert-1"}},
    }
    return Principal(**{**usual, **changed})  # type: ignore[arg-type]


def ended(known: Revocations, principal: Principal) -> bool:
    try:
        known.check(principal, NOW)
    except VerificationError as error:
        return error.check == "revocation"
    return False


NAMED: list[tuple[Kind, str]] = [
    ("grant", "gr_1"),
    ("client", "shop"),
    ("sub", "usr_1"),
    ("sid", "ses_1"),
    ("client_key", "thumb-1"),
    ("client_key", "cert-1"),
    ("installation", ""),
]


@pytest.mark.parametrize(("kind", "value"), NAMED)
def test_a_row_ends_the_tokens_below_its_position(kind: Kind, value: str) -> None:
    known = revocations(Row(6, kind, value, NOW + 300))
    assert ended(known, caller(rev=5))
    assert not ended(known, caller(rev=6))
    assert not ended(known, caller(rev=7))
    assert ended(known, caller(rev=None))


def test_a_compromised_key_ends_what_it_signed_whatever_position_the_token_claims() -> None:
    """Who has stolen it writes any ``rev``; an honest issuer signs nothing by it after the row."""
    known = revocations(Row(6, "signing_key", "sk_1", NOW + 300))
    for rev in (None, 5, 6, 7, 2**53 - 1, 2**200):
        assert ended(known, caller(rev=rev))
        assert not ended(known, caller(rev=rev, kid="sk_2"))


@pytest.mark.parametrize(("kind", "value"), [*NAMED[:-1], ("signing_key", "sk_1")])
def test_a_row_ends_nothing_that_another_name_hangs_on(kind: Kind, value: str) -> None:
    known = revocations(Row(6, kind, value + "x", NOW + 300), Row(7, "jti", value, NOW + 300))
    assert not ended(known, caller())


def test_a_row_that_names_a_token_ends_it_wherever_it_stands() -> None:
    known = revocations(Row(3, "jti", "jti-1", NOW + 300))
    assert ended(known, caller(rev=5))
    assert not ended(known, caller(token_id="jti-2"))


def test_the_higher_of_two_rows_counts_whatever_the_order() -> None:
    for rows in ((Row(9, "client", "shop", NOW + 300), Row(6, "client", "shop", NOW + 300)),):
        for order in (rows, rows[::-1]):
            known = revocations(*order)
            assert ended(known, caller(rev=8))
            assert not ended(known, caller(rev=9))
            assert len(known) == 1


def test_a_token_that_lacks_the_claim_is_not_ended_by_it() -> None:
    known = revocations(*(Row(6, kind, value, NOW + 300) for kind, value in NAMED if kind in ("grant", "sid")))
    assert not ended(known, caller(grant_id=None, claims={}))
    assert not ended(
        known, caller(grant_id=None, claims={"sid": {"an": "object"}, "client_key": ["x"], "cnf": {"x5t#S256": 7}})
    )


def test_a_clients_own_jwt_hangs_on_its_key_alone() -> None:
    """Its key is forgotten and asked for anew; a client that may sign again is not shut out by an old row."""
    known = revocations(Row(6, "client", "shop", NOW + 300), Row(7, "installation", "", NOW + 300))
    assert not ended(known, caller(kind="client_request", rev=None, grant_id=None, kid=None))


END = NOW + 300 + LEEWAY + MARGIN + 120
LONG = 50 + 300 + LEEWAY + MARGIN + 120


@pytest.mark.parametrize("kind", ["jti", "client"])
def test_a_row_is_dropped_when_its_time_is_over_by_both_clocks(kind: Kind) -> None:
    known = revocations(Row(6, kind, "shop" if kind == "client" else "jti-1", NOW + 300))
    known.drop(END, LONG)
    assert len(known) == 0
    assert not ended(known, caller())


@pytest.mark.parametrize(
    ("now", "instant"),
    [
        (END + 86_400, 60),  # the clock was set forward
        (NOW - 86_400, LONG + 86_400),  # or back
        (NOW + 300 + LEEWAY + MARGIN - 1, LONG),
        (END, 50 + 300 + LEEWAY + MARGIN - 1),
    ],
)
def test_one_clock_alone_drops_nothing(now: float, instant: float) -> None:
    known = revocations(Row(6, "client", "shop", NOW + 300), Row(7, "jti", "jti-9", NOW + 300))
    known.drop(now, instant)
    assert len(known) == 2
    assert ended(known, caller())


def test_how_long_a_row_is_kept_is_the_issuers_word_not_this_clocks() -> None:
    """A clock that is a day ahead when the row comes would find its time over already."""
    known = revocations(Row(6, "client", "shop", NOW + 300))
    known.drop(NOW + 86_400, 50 + 299)
    assert ended(known, caller())


def test_the_later_end_of_the_same_name_counts() -> None:
    for kind, value in (("client", "shop"), ("jti", "jti-1")):
        rows = [Row(6, kind, value, NOW + 9000), Row(7, kind, value, NOW + 300)]  # type: ignore[arg-type]
        for order in (rows, rows[::-1]):
            known = revocations(*order)
            known.drop(END, LONG)
            assert ended(known, caller())
            known.drop(END + 9000, LONG + 9000)
            assert len(known) == 0


def test_rows_told_twice_are_kept_once_and_dropped() -> None:
    rows = [Row(number, "jti", f"jti-{number}", NOW + 300) for number in range(1, 100)]
    known = revocations(*rows)
    known.add(rows, issued_at=NOW + 100, instant=150)
    assert len(known) == 99
    known.drop(END + 200, LONG + 200)
    assert len(known) == 0
