"""The second step of a sign-in: codes, recovery codes, setting codes up where they are demanded, and stepping up."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlencode, urlsplit
from xml.etree import ElementTree

import pytest

from ostiary.authorization_server.browser.interaction import Interaction
from ostiary.authorization_server.http import Request
from ostiary.errors import VerificationError
from ostiary.model.factor import Factor
from ostiary.revocation import revoke_user
from ostiary.settings.sections import SignInSettings
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication import second_factor, sign_in, totp
from ostiary.user_authentication.acr import ONE_FACTOR, PHISHING_RESISTANT, TWO_FACTORS
from ostiary.user_authentication.attempt import Place, Proved
from tests.authorization_server.world import ISSUER
from tests.user_authentication.browser import PASSWORD, Browser, Page, PeopleWorld, code_at, parallel
from tests.user_authentication.test_sign_in import SESSION, secrets_of, state_of, url_of

SECOND = f"{ISSUER}/sign-in/second-factor"


@pytest.fixture
def key(world: PeopleWorld) -> str:
    """Ada's seed; half a minute has passed since she set it up."""
    made = world.add_codes(world.user("ada"))
    world.clock.now += 30
    return made


def code(world: PeopleWorld, key: str, *, steps: int = 0) -> str:
    return code_at(key, world.clock() + 30 * steps)


def test_the_vectors_of_rfc_6238(world: PeopleWorld) -> None:
    """Appendix B, SHA-1, the last six digits."""
    seed = b"12345678901234567890"
    for at, expected in ((59, "287082"), (1111111109, "081804"), (2000000000, "279037")):
        assert totp._step_of(seed, expected, at, above=0) == at // 30


def test_a_password_alone_does_not_sign_in_a_user_with_codes(world: PeopleWorld, browser: Browser, key: str) -> None:
    page = browser.sign_in()
    assert (page.status, page.path) == (200, "/sign-in/second-factor")
    assert page.texts["account"] == "ada"
    assert SESSION not in browser.cookies
    assert not world.sessions()
    assert [row.target for row in world.audited("sign_in:begun")] == [world.user("ada").user_id]
    state = state_of(browser, page)
    assert (state.user_id, state.amr, state.session_id) == (world.user("ada").user_id, ("pwd",), "")
    continued = browser.call("GET", page.url.replace("/sign-in/second-factor", "/continue"))
    assert continued.header("location") == f"{ISSUER}/account"
    assert SESSION not in browser.cookies


def test_a_password_that_was_changed_meanwhile_is_no_first_proof(
    world: PeopleWorld, browser: Browser, key: str
) -> None:
    """Whoever knew the old one and waits at the second step begins anew, with the code unused."""
    page = browser.sign_in()
    world.set_password(world.user("ada"), "heron-copper-window")
    assert browser.open(page.url).path == "/sign-in"
    assert browser.send(page, "code-form", code=code(world, key)).path == "/sign-in"
    assert SESSION not in browser.cookies
    assert browser.send_code(browser.sign_in(password="heron-copper-window"), code(world, key)).status == 303


def test_password_and_code_make_two_factors(world: PeopleWorld, browser: Browser, key: str) -> None:
    done = browser.send_code(browser.sign_in(), f" {code(world, key)[:3]} {code(world, key)[3:]}")
    assert done.header("location").startswith(f"{ISSUER}/continue?")
    (session,) = world.sessions()
    assert (session.amr, session.acr) == (("pwd", "otp", "mfa"), TWO_FACTORS)
    assert session.auth_time == int(world.clock())


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_clock_may_be_one_step_off(world: PeopleWorld, browser: Browser, key: str, steps: int) -> None:
    world.clock.now += 60
    browser.send_code(browser.sign_in(), code(world, key, steps=steps))
    assert world.sessions()


@pytest.mark.parametrize("steps", [-2, 2])
def test_a_code_of_another_time_is_refused(world: PeopleWorld, browser: Browser, key: str, steps: int) -> None:
    world.clock.now += 60
    page = browser.send_code(browser.sign_in(), code(world, key, steps=steps))
    assert (page.status, page.texts["problem"]) == (
        400,
        "This code is not right, or it was used already. Try the next one.",
    )
    assert not world.sessions()
    assert world.audited("sign_in:refused")[0].reason == "code"


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "１２３４５６", "-12345", "0x1234"])
def test_what_is_no_code_is_refused(world: PeopleWorld, browser: Browser, key: str, typed: str) -> None:
    assert browser.send_code(browser.sign_in(), typed).status == 400
    assert not world.sessions()


def test_a_used_code_is_refused(world: PeopleWorld, key: str) -> None:
    used = code(world, key)
    first, second = Browser(world), Browser(world)
    first.send_code(first.sign_in(), used)
    assert second.send_code(second.sign_in(), used).status == 400
    assert len(world.sessions()) == 1


def test_a_code_older_than_the_last_used_one_is_refused(world: PeopleWorld, key: str) -> None:
    old = code(world, key, steps=-1)
    world.add_user("bob")
    first, second = Browser(world), Browser(world)
    world.clock.now += 30
    first.send_code(first.sign_in(), code(world, key))
    assert second.send_code(second.sign_in(), old).status == 400


def test_the_code_that_set_a_phone_up_does_not_sign_in(world: PeopleWorld, browser: Browser) -> None:
    key = world.add_codes(world.user("ada"))
    assert browser.send_code(browser.sign_in(), code(world, key)).status == 400


def test_of_two_parallel_uses_of_a_code_one_wins(world: PeopleWorld, key: str) -> None:
    browsers = [Browser(world) for _ in range(8)]
    pages = [one.sign_in() for one in browsers]
    answers = parallel(
        world,
        *(
            one.request("POST", page.url, urlencode(page.forms["code-form"] | {"code": code(world, key)}))
            for one, page in zip(browsers, pages, strict=True)
        ),
    )
    assert sorted(answer.status for answer in answers) == [303] + [400] * 7
    assert len(world.sessions()) == 1


def test_of_two_parallel_uses_of_a_recovery_code_one_wins(world: PeopleWorld, key: str) -> None:
    recovery = world.add_recovery_codes(world.user("ada"))[0]
    browsers = [Browser(world) for _ in range(8)]
    pages = [one.sign_in() for one in browsers]
    answers = parallel(
        world,
        *(
            one.request(
                "POST",
                page.url,
                urlencode(page.forms["recovery-code-form"] | {"recovery_code": recovery}),
            )
            for one, page in zip(browsers, pages, strict=True)
        ),
    )
    assert sorted(answer.status for answer in answers) == [303] + [400] * 7
    assert len(world.factors(kind="recovery_code")) == 9


def test_a_recovery_code_stands_in_for_a_code_once(world: PeopleWorld, key: str) -> None:
    codes = world.add_recovery_codes(world.user("ada"))
    assert len(set(codes)) == 10
    first, second = Browser(world), Browser(world)
    first.send_code(first.sign_in(), codes[0].upper().replace("-", " "), "recovery_code")
    assert [one.acr for one in world.sessions()] == [TWO_FACTORS]
    assert second.send_code(second.sign_in(), codes[0], "recovery_code").status == 400
    assert len(world.factors(kind="recovery_code")) == 9
    assert [row.reason for row in world.audited("factor:removed")] == ["used"]


def test_new_recovery_codes_end_the_old_ones(world: PeopleWorld, browser: Browser, key: str) -> None:
    old = world.add_recovery_codes(world.user("ada"))
    world.add_recovery_codes(world.user("ada"))
    assert browser.send_code(browser.sign_in(), old[0], "recovery_code").status == 400
    assert len(world.factors(kind="recovery_code")) == 10


def test_nothing_at_rest_opens_anything(world: PeopleWorld, key: str) -> None:
    codes = world.add_recovery_codes(world.user("ada"))
    at_rest = b"".join(path.read_bytes() for path in world.folder.glob("ostiary.db*"))
    assert PASSWORD.encode() not in at_rest
    assert not any(one.encode() in at_rest or one.replace("-", "").encode() in at_rest for one in codes)
    assert key.encode() not in at_rest


def test_a_seed_moved_to_another_user_does_not_open(world: PeopleWorld, key: str) -> None:
    (stolen,) = world.factors(kind="totp")
    with pytest.raises(VerificationError):
        world.server.seals.open("totp", stolen.secret, context=b"fac_other")


def test_codes_of_somebody_else_do_not_count(world: PeopleWorld, browser: Browser, key: str) -> None:
    theirs = world.add_codes(world.add_user("bob"))
    recovery = world.add_recovery_codes(world.user("bob"))
    world.add_recovery_codes(world.user("ada"))
    world.clock.now += 30
    page = browser.sign_in()
    assert browser.send_code(page, code(world, theirs)).status == 400
    assert browser.send_code(page, recovery[0], "recovery_code").status == 400
    assert not world.sessions()


def test_a_first_proof_waits_ten_minutes(world: PeopleWorld, browser: Browser, key: str) -> None:
    page = browser.sign_in()
    world.clock.now += 601
    late = browser.send_code(page, code(world, key))
    assert (late.path, "sign-in-form" in late.forms) == ("/sign-in", True)
    assert not world.sessions()


def test_nobody_reaches_the_second_step_without_the_first(world: PeopleWorld, browser: Browser, key: str) -> None:
    browser.open(f"{ISSUER}/sign-in")
    bare = url_of(browser, Interaction(started_at=int(world.clock())), "/sign-in/second-factor")
    assert browser.open(bare).path == "/sign-in"
    step_up = Interaction(started_at=int(world.clock()), session_id="ses_none", step_up=True)
    assert browser.open(url_of(browser, step_up, "/sign-in/second-factor")).path == "/sign-in"


def test_a_first_proof_is_of_no_use_in_another_browser(world: PeopleWorld, browser: Browser, key: str) -> None:
    page = browser.sign_in()
    other = Browser(world)
    other.open(f"{ISSUER}/sign-in")
    assert other.call("GET", page.url).status == 400


def test_a_user_disabled_between_the_steps_does_not_get_in(world: PeopleWorld, browser: Browser, key: str) -> None:
    page = browser.sign_in()
    ada = world.user("ada")
    world.write(lambda work: revoke_user(work, ada.user_id, world.act()))
    assert browser.send_code(page, code(world, key)).status == 400
    assert not world.sessions()


def step_up(world: PeopleWorld, browser: Browser) -> Page:
    (session,) = world.sessions()
    state = Interaction(started_at=int(world.clock()), session_id=session.session_id, step_up=True)
    return browser.open(url_of(browser, state, "/sign-in/second-factor"))


def test_a_session_is_stepped_up_and_keeps_its_name_and_its_time(world: PeopleWorld, browser: Browser) -> None:
    browser.sign_in()
    (before,) = world.sessions()
    key = world.add_codes(world.user("ada"))
    world.clock.now += 100
    old = browser.cookies[SESSION]
    browser.send_code(step_up(world, browser), code(world, key))
    (after,) = world.sessions()
    assert (after.session_id, after.auth_time) == (before.session_id, before.auth_time)
    assert (after.amr, after.acr) == (("pwd", "otp", "mfa"), TWO_FACTORS)
    assert browser.cookies[SESSION] != old


def test_a_session_that_ended_is_not_stepped_up(world: PeopleWorld, browser: Browser) -> None:
    browser.sign_in()
    key = world.add_codes(world.user("ada"))
    world.clock.now += 100
    page = step_up(world, browser)
    browser.send(browser.open(f"{ISSUER}/sign-out"), "sign-out-form")
    refused = browser.send_code(page, code(world, key))
    assert refused.path == "/sign-in"
    assert not world.sessions()


def test_a_step_up_never_makes_the_sign_in_younger(world: PeopleWorld, browser: Browser) -> None:
    """Not even where the application would like more than was proved."""
    browser.sign_in()
    (before,) = world.sessions()
    ada = world.user("ada")
    key = world.add_codes(ada)
    passkey = Factor("fac_key", ada.user_id, "passkey", "", b"", "credential")
    world.write(lambda work: work.factors.add(passkey))
    world.clock.now += 100
    wish = {"acr_values": PHISHING_RESISTANT}
    state = Interaction(started_at=int(world.clock()), session_id=before.session_id, step_up=True, parameters=wish)
    page = browser.open(url_of(browser, state, "/sign-in/second-factor"))
    done = browser.send_code(page, code(world, key))
    assert done.header("location").startswith(f"{ISSUER}/continue?")
    (after,) = world.sessions()
    assert (after.auth_time, after.acr) == (before.auth_time, TWO_FACTORS)


@pytest.mark.parametrize("kind", ["totp", "recovery_code"])
def test_what_an_application_would_like_is_asked_for_once(
    world: PeopleWorld, browser: Browser, key: str, kind: str
) -> None:
    """The second proof makes a session: else recovery codes were used up one by one at a wish for a passkey."""
    ada = world.user("ada")
    recovery = world.add_recovery_codes(ada)[0]
    passkey = Factor("fac_key", ada.user_id, "passkey", "", b"", "credential")
    world.write(lambda work: work.factors.add(passkey))
    browser.open(f"{ISSUER}/sign-in")
    wish = {"acr_values": PHISHING_RESISTANT}
    asked = url_of(browser, Interaction(started_at=int(world.clock()), parameters=wish), "/sign-in")
    page = browser.sign_in(url=asked)
    assert (page.path, "passkey" in page.html) == ("/sign-in/second-factor", True)
    done = browser.send_code(page, recovery if kind == "recovery_code" else code(world, key), kind)
    assert done.header("location").startswith(f"{ISSUER}/continue?")
    assert [one.acr for one in world.sessions()] == [TWO_FACTORS]


def test_a_second_proof_of_somebody_else_is_not_added(world: PeopleWorld, browser: Browser, key: str) -> None:
    """Whatever a method says: the two proofs must be of one user."""
    bob = world.add_user("bob")
    page = browser.sign_in()

    async def nothing(work: UnitOfWork) -> None:
        """Nothing is to be marked."""

    place = Place(
        world.server, Request("POST", "/", {}), secrets_of(browser), state_of(browser, page), "", world.clock()
    )
    with pytest.raises(VerificationError, match="first_factor"):
        world.run(sign_in.take(place, Proved(bob.user_id, ("otp",), nothing), second=True))
    assert not world.sessions("bob")


# -- where a second factor is demanded ------------------------------------------------------------------------------


@pytest.fixture
def demanding(world: PeopleWorld) -> PeopleWorld:
    """An installation where a password alone is not enough."""
    demanded = world.settings.sign_in.model_copy(update={"second_factor": "required"})
    world.server.settings = world.settings = world.settings.model_copy(update={"sign_in": demanded})
    return world


def test_a_user_without_codes_sets_them_up_on_the_way(demanding: PeopleWorld, browser: Browser) -> None:
    world = demanding
    page = browser.sign_in()
    key = page.texts["totp-key"].replace(" ", "")
    wrong = browser.send(page, "enrolment-form", code="000000")
    assert (wrong.status, wrong.texts["totp-key"].replace(" ", "")) == (400, key)
    assert not world.sessions()
    assert not world.factors(kind="totp")
    browser.send(wrong, "enrolment-form", code=code(world, key))
    assert [one.acr for one in world.sessions()] == [TWO_FACTORS]
    assert len(world.factors(kind="totp")) == 1
    world.clock.now += 30
    again = Browser(world)
    again.send_code(again.sign_in(), code(world, key))
    assert len(world.sessions()) == 2


def test_nobody_adds_a_second_factor_beside_one_by_a_password(demanding: PeopleWorld, browser: Browser) -> None:
    world = demanding
    page = browser.sign_in()
    key = page.texts["totp-key"].replace(" ", "")
    world.add_codes(world.user("ada"))
    assert "enrolment-form" not in browser.sign_in().forms
    assert browser.send(page, "enrolment-form", code=code(world, key)).status == 400
    assert len(world.factors(kind="totp")) == 1
    assert not world.sessions()


def test_a_user_disabled_on_the_way_gets_no_factor(demanding: PeopleWorld, browser: Browser) -> None:
    """A refusal leaves nothing of what it refused."""
    world = demanding
    page = browser.sign_in()
    ada = world.user("ada")
    world.write(lambda work: revoke_user(work, ada.user_id, world.act()))
    answer = browser.send(page, "enrolment-form", code=code(world, page.texts["totp-key"].replace(" ", "")))
    assert answer.status == 400
    assert not world.factors(kind="totp")
    assert not world.sessions()


def test_what_was_begun_for_one_user_is_not_finished_for_another(demanding: PeopleWorld) -> None:
    world = demanding
    world.add_user("bob")
    ada, bob = Browser(world), Browser(world)
    theirs, mine = ada.sign_in("ada"), bob.sign_in("bob")
    sealed = theirs.forms["enrolment-form"]["enrolment"]
    answer = bob.send(
        mine, "enrolment-form", enrolment=sealed, code=code(world, theirs.texts["totp-key"].replace(" ", ""))
    )
    assert answer.status == 400
    assert not world.factors("bob", "totp")


def test_an_enrolment_page_left_open_too_long_shows_a_new_key(demanding: PeopleWorld, browser: Browser) -> None:
    user = demanding.user("ada")
    begun = totp.begin_enrolment(demanding.server, user, demanding.clock())
    late = demanding.clock() + totp.ENROLMENT_LIFE + 1
    with pytest.raises(VerificationError):
        totp.enrolled(demanding.server, user, begun.sealed, code_at(begun.key, late), late)


def test_the_link_for_a_phone_names_the_place_and_the_user(demanding: PeopleWorld, browser: Browser) -> None:
    begun = totp.begin_enrolment(demanding.server, demanding.user("ada"), demanding.clock())
    parts = urlsplit(begun.uri)
    assert (parts.scheme, parts.netloc, parts.path) == ("otpauth", "totp", "/Ostiary:ada")
    assert parse_qs(parts.query) == {"secret": [begun.key], "issuer": ["Ostiary"]}


def test_a_phone_can_scan_the_seed_from_the_page(demanding: PeopleWorld, browser: Browser) -> None:
    page = browser.sign_in()
    assert "img-src 'self' data:" in page.header("content-security-policy")
    picture = page.html.split('<img class="qr" src="')[1].split('"')[0]
    kind, _, svg = unquote(picture).partition(",")
    assert kind == "data:image/svg+xml;charset=utf-8"
    drawn = ElementTree.fromstring(svg)  # noqa: S314 - our own text
    assert {one.tag.rpartition("}")[2] for one in drawn.iter()} <= {"svg", "g", "path"}
    user = demanding.user("ada")
    pictures = {totp.begin_enrolment(demanding.server, user, demanding.clock()).picture for _ in range(3)}
    assert len(pictures) == 3


# -- when it is wanted ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amr", "kinds", "asked", "demanded", "wanted"),
    [
        (("pwd",), (), "", "optional", False),
        (("pwd",), (), "", "required", True),
        (("pwd",), ("totp",), "", "optional", True),
        (("pwd", "otp"), ("totp",), "", "required", False),
        (("pwd",), ("passkey",), "", "optional", False),
        (("pwd",), ("passkey",), TWO_FACTORS, "optional", True),
        (("pwd",), ("passkey",), ONE_FACTOR, "optional", False),
        (("pwd",), (), TWO_FACTORS, "optional", False),
        (("pwd", "otp"), ("totp", "passkey"), PHISHING_RESISTANT, "optional", True),
        (("pwd", "otp"), ("totp",), PHISHING_RESISTANT, "optional", False),
        (("hwk", "user"), ("totp", "passkey"), "", "required", False),
        (("fed",), ("totp",), "", "optional", True),
    ],
)
def test_when_another_proof_is_wanted(
    amr: tuple[str, ...], kinds: tuple[str, ...], asked: str, demanded: str, wanted: bool
) -> None:
    settings = SignInSettings.model_validate({"second_factor": demanded})
    interaction = Interaction(started_at=0, parameters={"acr_values": asked})
    factors = [Factor(kind, "usr_a", kind, "", b"") for kind in kinds]  # type: ignore[arg-type]
    assert second_factor.is_wanted(settings, interaction, amr, factors) is wanted
