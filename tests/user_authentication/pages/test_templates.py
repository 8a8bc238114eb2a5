"""Every template, in every language: well-formed, nothing inline, everything escaped."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ostiary.user_authentication.pages.render import TEMPLATES
from ostiary.user_authentication.pages.words import languages
from tests.authorization_server.world import World
from tests.user_authentication.pages.examples import QR, examples
from tests.user_authentication.pages.rendering import Page, shown

MARKUP = "\"'><script>evil()</script><b id=evil>{{ 7*7 }}&amp;"
LANGUAGES = sorted(languages())
# What chooses among the words of a template is no text of anybody's.
CHOOSING = {"kind", "factors.kind", "kinds", "problem", "about", "done", "can_enrol"}


def test_every_template_has_an_example() -> None:
    there = {file.stem for file in TEMPLATES.glob("*.html")} - {"base"}
    assert {name.partition(":")[0] for name in examples()} == there


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", examples())
def test_a_page_is_well_formed_and_says_its_language(world: World, name: str, language: str) -> None:
    page = Page(shown(world, name.partition(":")[0], language, **examples()[name]))
    assert page.open == []
    assert page.named("html") == [{"lang": language}]
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids)), ids
    assert len(page.named("h1")) == len(page.named("main")) == 1


@pytest.mark.parametrize("name", examples())
def test_nothing_is_inline_and_nothing_comes_from_elsewhere(world: World, name: str) -> None:
    page = Page(shown(world, name.partition(":")[0], **examples()[name]))
    assert page.named("style") == []
    for tag, attributes in page.elements:
        assert not [one for one in attributes if one == "style" or one.startswith("on")], (tag, attributes)
        if tag in ("script", "link", "img"):
            source = attributes.get("src", attributes.get("href", ""))
            assert source.startswith("https://auth.example.com/assets/") or source == QR, (tag, attributes)
    assert [text for tag, text in page.texts if tag == "script" and text.strip()] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", examples())
def test_markup_in_every_value_is_escaped(world: World, name: str, language: str) -> None:
    template = name.partition(":")[0]
    plain = Page(shown(world, template, language, **examples()[name]))
    page = Page(shown(world, template, language, **spoiled(examples()[name])))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    assert page.open == []
    assert "evil" not in {attributes.get("id") for _, attributes in page.elements}
    assert [sorted(attributes) for _, attributes in page.elements] == [sorted(one) for _, one in plain.elements]


def test_the_test_above_would_see_markup_that_is_not_escaped(world: World) -> None:
    page = Page(shown(world, "error", **examples()["error"]).replace("The redirect URI", "<b id=evil></b>"))
    assert "evil" in {attributes.get("id") for _, attributes in page.elements}


@pytest.mark.parametrize("name", examples())
def test_every_form_of_our_own_carries_the_token_of_its_browser(world: World, name: str) -> None:
    template = name.partition(":")[0]
    page = Page(shown(world, template, **examples()[name]))
    forms = [form for form in page.named("form") if template != "form-post"]
    assert all(form["method"] == "post" and form["id"] for form in forms)
    tokens = [one for one in page.named("input") if one.get("name") == "csrf"]
    assert len(tokens) == len(forms)
    assert all(token["value"] for token in tokens)


@pytest.mark.parametrize("name", examples())
def test_every_field_has_a_label_and_what_describes_it_is_there(world: World, name: str) -> None:
    page = Page(shown(world, name.partition(":")[0], **examples()[name]))
    labelled = {label["for"] for label in page.named("label")}
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    for field in page.named("input"):
        if field["type"] != "hidden" and "hidden" not in field:
            assert field["id"] in labelled, field
            assert field["autocomplete"] if field["type"] != "checkbox" else True, field
    for _, attributes in page.elements:
        for reference in ("aria-describedby", "aria-labelledby"):
            assert set(attributes.get(reference, "").split()) <= ids, attributes


def test_allow_and_deny_weigh_the_same(world: World) -> None:
    page = Page(shown(world, "consent", **examples()["consent"]))
    buttons = [one for one in page.named("button") if one.get("name") == "decision"]
    assert {one["value"] for one in buttons} == {"allow", "deny"}
    assert len({one["class"] for one in buttons}) == 1


def test_consent_names_application_host_scopes_and_resources(world: World) -> None:
    text = shown(world, "consent", **examples()["consent"])
    words = ("Photo Printer", "printer.example.com", "Identity verified", "See your orders", "orders:write")
    for word in (*words, "https://orders.example.com", "See your e-mail address", "Ada Byron", "ada@example.com"):
        assert word in text, word


def test_a_client_that_is_not_verified_is_never_called_verified(world: World) -> None:
    page = Page(shown(world, "consent", **examples()["consent:unverified"]))
    ids = {attributes.get("id") for _, attributes in page.elements}
    assert {"unverified", "unverified-note"} <= ids
    assert "verified" not in ids


def test_passkeys_are_shown_where_they_are_offered_only(world: World) -> None:
    assert 'id="passkey"' not in shown(world, "sign-in", **examples()["sign-in"])
    page = Page(shown(world, "sign-in", **examples()["sign-in:everything"]))
    assert page.by_id("passkey")["data-get"].startswith("https://auth.example.com/sign-in/passkey-options?")
    assert page.by_id("username")["autocomplete"] == "username webauthn"


@pytest.mark.parametrize(
    ("name", "fields"),
    {
        "sign-in": ["username", "password"],
        "second-factor": ["code", "recovery_code"],
        "reset-request": ["email"],
        "reset": ["token", "password"],
        "password-change": ["username", "current", "password"],
        "totp-enrol": ["enrolment", "code", "name"],
        "recovery-codes": ["codes", "kept"],
        "passkeys": ["passkey", "challenge", "name", "factor_id", "name", "factor_id", "name"],
    }.items(),
)
def test_the_names_of_fields_are_stable(world: World, name: str, fields: list[str]) -> None:
    page = Page(shown(world, name, **examples()[name]))
    assert [one["name"] for one in page.named("input") if one["name"] != "csrf"] == fields


@pytest.mark.parametrize(
    ("name", "forms"),
    {
        "sign-in": ["sign-in-form"],
        "second-factor": ["code-form", "recovery-code-form"],
        "second-factor:enrolment": ["enrolment-form"],
        "accounts": ["accounts-form"],
        "consent": ["consent-form"],
        "sign-out": ["sign-out-form"],
        "form-post": ["form-post"],
    }.items(),
)
def test_the_ids_of_forms_are_stable(world: World, name: str, forms: list[str]) -> None:
    page = Page(shown(world, name.partition(":")[0], **examples()[name]))
    assert [one["id"] for one in page.named("form")] == forms


def spoiled(value: Any, path: str = "") -> Any:
    """``value`` with markup in every text of it, but for what chooses among the words of a template."""
    if path in CHOOSING:
        return value
    if isinstance(value, dict):
        return {name: spoiled(one, f"{path}.{name}".lstrip(".")) for name, one in value.items()}
    if isinstance(value, list):
        return [spoiled(one, path) for one in value]
    if isinstance(value, tuple):
        return tuple(spoiled(one, path) for one in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {one.name: spoiled(getattr(value, one.name), path) for one in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    return value + MARKUP if isinstance(value, str) and value else value
