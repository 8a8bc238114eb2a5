"""Every act ends what it names and all that hangs on it: in one transaction, once, and nothing else."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from msgspec import structs

from ostiary.revocation import (
    NOTHING,
    Ended,
    revoke_certificate,
    revoke_client,
    revoke_client_key,
    revoke_consent,
    revoke_grant,
    revoke_session,
    revoke_token,
    revoke_user,
)
from ostiary.revocation.users import end_everything_of, end_sessions_of
from ostiary.storage.base import UnitOfWork
from ostiary.storage.connection import Conflict
from tests.authorization_server.world import World, signing_key
from tests.revocation.everything import ACT, ADA, KEY, PAIRWISE, TOKENS, dump, ended_tokens, failing, fill, rows

CHILD = signing_key("child").verification_key.thumbprint


class Case(NamedTuple):
    """An act: what it is done to, what it says that ended, the rows of the log, the tokens that fell."""

    act: Any
    ended: Ended
    rows: list[tuple[str, str]]
    tokens: set[str]


async def _token(work: UnitOfWork) -> Ended:
    return await revoke_token(work, TOKENS["own"], ACT)


CASES = {
    "token": Case(_token, Ended(tokens=1), [("jti", "own")], {"own"}),
    "grant": Case(
        lambda work: revoke_grant(work, "gr_online", ACT), Ended(grants=1), [("grant", "gr_online")], {"online"}
    ),
    "session": Case(
        lambda work: revoke_session(work, "ses_1", ACT),
        Ended(sessions=1, grants=1),
        [("sid", "ses_1")],
        {"online"},
    ),
    "sessions": Case(
        lambda work: end_sessions_of(work, ADA, ACT),
        Ended(sessions=2, grants=2),
        [("sid", "ses_1"), ("sid", "ses_2")],
        {"online", "diary"},
    ),
    "consent": Case(
        lambda work: revoke_consent(work, ADA, "shop", ACT),
        Ended(grants=2),
        [("grant", "gr_offline"), ("grant", "gr_online")],
        {"online", "offline"},
    ),
    "user": Case(
        lambda work: revoke_user(work, ADA, ACT),
        Ended(users=1, sessions=2, grants=3),
        [("sub", ADA), ("sub", PAIRWISE)],
        {"online", "offline", "diary"},
    ),
    "client": Case(
        lambda work: revoke_client(work, "shop", ACT),
        Ended(clients=1, grants=2, certificates=3),
        [("client", "shop")],
        {"own", "by_child", "by_sibling", "by_certificate", "by_successor", "online", "offline"},
    ),
    "key": Case(
        lambda work: revoke_client_key(work, KEY, ACT),
        Ended(keys=2, certificates=1),
        [("client_key", KEY), ("client_key", CHILD), ("client_key", "x5t-a3")],
        {"own", "by_child"},
    ),
    "certificate": Case(
        lambda work: revoke_certificate(work, "a1", ACT),
        Ended(certificates=2),
        [("client_key", "x5t-a1"), ("client_key", "x5t-a2")],
        {"by_certificate", "by_successor"},
    ),
}


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    given: Case = request.param
    return given


@pytest.fixture
def full(world: World) -> World:
    fill(world)
    return world


def test_an_act_ends_what_it_names_and_what_hangs_on_it_and_nothing_else(full: World, case: Case) -> None:
    [ended] = full.write(case.act)
    assert ended == case.ended
    assert sorted(rows(full)) == sorted(case.rows)
    assert ended_tokens(full) == case.tokens


def test_an_act_is_done_once(full: World, case: Case) -> None:
    full.write(case.act)
    before = dump(full)
    assert full.write(case.act) == [NOTHING]
    assert dump(full) == before


def test_every_event_of_an_act_says_who_and_why(full: World, case: Case) -> None:
    full.write(case.act)
    events = [row for row in full.audit() if row.actor == "admin:boss"]
    assert events
    assert {row.reason for row in events} == {"stolen"}


@pytest.mark.parametrize("table", ["audit_events", "revocations"])
def test_a_fault_in_the_middle_leaves_nothing(full: World, case: Case, table: str) -> None:
    """For each row that the act writes there, the act is tried with a database that refuses this row."""
    written = {"audit_events": len(full.audit()), "revocations": len(rows(full))}[table]
    before = dump(full)
    tries = 0
    while True:
        with failing(full, table, written + tries):
            trigger = dump(full)
            try:
                full.write(case.act)
            except Conflict:
                assert dump(full) == trigger
            else:
                break
        assert dump(full) == before
        tries += 1
    assert tries == (len(case.rows) if table == "revocations" else len(full.audit()) - written)
    assert ended_tokens(full) == case.tokens


NOBODY = [
    lambda work: revoke_grant(work, "nothing", ACT),
    lambda work: revoke_session(work, "nothing", ACT),
    lambda work: revoke_user(work, "usr_nobody", ACT),
    lambda work: revoke_client(work, "nothing", ACT),
    lambda work: revoke_client_key(work, "nothing", ACT),
    lambda work: revoke_certificate(work, "nothing", ACT, with_client=True),
    lambda work: revoke_consent(work, "usr_nobody", "shop", ACT),
    lambda work: end_sessions_of(work, "usr_nobody", ACT),
]


@pytest.mark.parametrize("act", NOBODY)
def test_what_does_not_exist_cannot_be_ended(full: World, act: Any) -> None:
    before = dump(full)
    assert full.write(act) == [NOTHING]
    assert dump(full) == before


def test_what_was_issued_after_the_act_lives(full: World) -> None:
    """attack 33: positions decide, no clock does."""
    full.write(CASES["user"].act)
    position = full.read(lambda work: work.positions()).revocation
    later = [structs.replace(TOKENS[name], rev=position) for name in ("online", "offline", "diary")]

    async def look(work: UnitOfWork) -> list[Any]:
        return [await work.revocations.ends(one) for one in later]

    assert full.read(look) == [None, None, None]


def test_every_end_of_everything_that_a_user_has_is_one_row_a_name_however_often(full: World) -> None:
    first, second = (full.write(lambda work: end_everything_of(work, ADA, ACT))[0] for _ in range(2))
    assert (first, second) == (Ended(sessions=2, grants=3), NOTHING)
    assert rows(full) == [("sub", ADA), ("sub", PAIRWISE), ("sub", ADA)]
