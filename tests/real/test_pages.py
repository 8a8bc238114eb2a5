"""The pages in a real browser: accessible, light and dark, on a phone, by keyboard, under their own policy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.real.accessibility import grave_faults
from tests.real.page_gallery import gallery
from tests.user_authentication.pages.examples import examples

pytestmark = pytest.mark.real

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1024, "height": 768}
LOOKS = {"light": (DESK, "light"), "dark": (DESK, "dark"), "phone": (PHONE, "light")}
# A page that sends itself on before anybody can look at it.
STAYING = sorted(name for name in examples() if name != "form-post")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gallery(tmp_path_factory.mktemp("gallery")) as url:
        yield url


def opened(browser: Browser, look: str = "light", *, scripts: bool = True, language: str = "en-GB") -> Iterator[Page]:
    size, scheme = LOOKS[look]
    context = browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=scripts,
        locale=language,
    )
    yield context.new_page()
    context.close()


@pytest.fixture(params=LOOKS)
def looked_at(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    yield from opened(browser, request.param)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    yield from opened(browser)


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    """A page in a browser that runs no scripts."""
    yield from opened(browser, scripts=False)


def test_axe_finds_nothing_serious_on_any_page(site: str, looked_at: Page, foreign_clients: Path) -> None:
    faults: dict[str, list[str]] = {}
    for name in STAYING:
        looked_at.goto(site + name)
        if found := grave_faults(looked_at, foreign_clients):
            faults[name] = found
    assert faults == {}


def test_axe_would_find_a_fault(page: Page, site: str, foreign_clients: Path) -> None:
    page.goto(site + "sign-in")
    page.evaluate("document.querySelector('label[for=username]').remove()")
    page.evaluate("document.querySelector('.lead').setAttribute('style', 'color: #ddd')")
    assert {fault.partition(":")[0] for fault in grave_faults(page, foreign_clients)} >= {"label"}


def test_no_page_is_wider_than_a_phone(browser: Browser, site: str) -> None:
    for page in opened(browser, "phone", language="de-DE"):
        for name in STAYING:
            page.goto(site + name)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name


def test_everything_to_be_touched_is_large_enough(browser: Browser, site: str) -> None:
    """WCAG 2.2, 2.5.8: at least 24 by 24 CSS pixels; buttons and fields of ours 44 high."""
    for page in opened(browser, "phone"):
        for name in STAYING:
            page.goto(site + name)
            for target in page.locator("button:visible, a.button:visible, input:visible:not([type=checkbox])").all():
                box = target.bounding_box()
                assert box is not None
                assert box["height"] >= 44, (name, target.inner_html())


def test_nothing_breaks_the_policy_of_a_page(page: Page, site: str) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    for name in STAYING:
        page.goto(site + name)
        # An example's form has no real interaction behind it, so what its script asks for is refused: no matter here.
        assert [text for text in said if "Policy" in text] == [], name


def test_a_page_asks_nobody_else_for_anything(page: Page, site: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for name in STAYING:
        page.goto(site + name)
    origin = site.partition("/gallery")[0]
    assert asked
    assert [url for url in asked if not url.startswith(origin)] == []


INJECTED = (
    "<script>window.evil = 1</script><img src='data:,' onerror='window.evil = 1'><p style='color: red' id='red'></p>"
)


def test_the_policy_stops_what_stands_in_a_page_and_is_not_ours(page: Page, site: str) -> None:
    def inject(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=response.text().replace("</main>", INJECTED + "</main>"))

    page.route(site + "error", inject)
    page.goto(site + "error")
    assert page.locator("#red").count() == 1
    page.wait_for_function("document.images[document.images.length - 1].complete")
    assert page.evaluate("window.evil") is None
    assert page.evaluate("getComputedStyle(document.getElementById('red')).color") != "rgb(255, 0, 0)"


def test_no_page_is_shown_in_a_frame_not_even_of_this_site(page: Page, site: str) -> None:
    """RFC 9700 4.16; attack 40."""
    frame = f"<iframe src='{site}consent'></iframe>"
    page.route("**/frame.html", lambda route: route.fulfill(body=frame, content_type="text/html"))
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.goto(site + "frame.html")
    assert page.frames[1].locator("#allow").count() == 0


def tabbed(page: Page, count: int) -> list[str]:
    """What has the focus, key by key, from the top of the page."""
    page.evaluate("document.body.setAttribute('tabindex', '-1')")
    page.evaluate("document.body.focus()")
    order = []
    for _ in range(count):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.value"))
    return order


@pytest.mark.parametrize(
    ("name", "order"),
    {
        "sign-in": ["username", "password", "sign-in-button", "reset-link"],
        "accounts": ["ses_1", "ses_2", "another-account"],
        "consent": ["switch-account", "deny", "allow"],
    }.items(),
)
def test_the_keyboard_goes_through_a_page_from_top_to_bottom(
    page: Page, site: str, name: str, order: list[str]
) -> None:
    page.goto(site + name)
    assert tabbed(page, len(order)) == order


def test_the_focus_is_seen(page: Page, site: str) -> None:
    page.goto(site + "consent")
    tabbed(page, 2)
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"


def test_allow_and_deny_look_the_same(page: Page, site: str) -> None:
    page.goto(site + "consent")
    names = ("color", "backgroundColor", "borderColor", "fontSize", "fontWeight", "width", "height")
    looks = [
        page.evaluate(
            "([id, names]) => names.map(name => getComputedStyle(document.getElementById(id))[name])", [one, names]
        )
        for one in ("allow", "deny")
    ]
    assert looks[0] == looks[1]


def test_the_style_and_the_mark_are_there(page: Page, site: str) -> None:
    page.goto(site + "sign-in")
    assert page.evaluate("document.images[0].naturalWidth") > 0
    assert page.evaluate("getComputedStyle(document.querySelector('.card')).borderRadius") == "14px"


def test_dark_is_dark(browser: Browser, site: str) -> None:
    found = {}
    for look in ("light", "dark"):
        for page in opened(browser, look):
            page.goto(site + "sign-in")
            colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
            found[look] = sum(int(part) for part in colour.strip("rgb()").split(","))
    assert found["dark"] < 150 < 600 < found["light"]


def test_the_browsers_language_is_the_pages(browser: Browser, site: str) -> None:
    for page in opened(browser, language="de-AT"):
        page.goto(site + "sign-in")
        assert page.locator("h1").inner_text() == "Anmelden"
        assert page.evaluate("document.documentElement.lang") == "de"


def test_a_form_of_an_answer_sends_itself(page: Page, site: str) -> None:
    """OAuth 2.0 Form Post Response Mode, section 2."""
    sent: list[str] = []

    def receive(route: Route) -> None:
        sent.append(route.request.post_data or "")
        route.fulfill(body="ok")

    page.route("https://printer.example.com/**", receive)
    page.goto(site + "form-post")
    page.wait_for_url("https://printer.example.com/back")
    assert sent == ["code=abc&state=xyz"]


def test_without_scripts_the_form_of_an_answer_has_a_button(plain: Page, site: str) -> None:
    plain.route("https://printer.example.com/**", lambda route: route.fulfill(body="ok"))
    plain.goto(site + "form-post")
    plain.get_by_role("button", name="Continue").click()
    plain.wait_for_url("https://printer.example.com/back")
