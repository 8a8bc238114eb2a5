"""The catalogues are complete and used, and the language of a page is the one that was asked for."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

import ostiary
from ostiary.user_authentication.mail.letters import Template
from ostiary.user_authentication.pages import words
from ostiary.user_authentication.pages.languages import choose
from ostiary.user_authentication.pages.render import TEMPLATES
from ostiary.user_authentication.pages.words import FALLBACK, Words, catalogue, languages
from tests.authorization_server.world import World
from tests.user_authentication.pages.examples import examples
from tests.user_authentication.pages.rendering import shown

PACKAGE = Path(ostiary.__file__).parent
ENGLISH = catalogue(FALLBACK)
KEY = re.compile(r"""["']([a-z_]+\.[a-z_0-9]+)["']""")
PREFIX = re.compile(r"""["']([a-z_]+\.[a-z_]*)["'] ~""")


@pytest.mark.parametrize("language", sorted(languages()))
def test_every_catalogue_has_every_key_with_the_same_values(language: str) -> None:
    assert catalogue(language).keys() == ENGLISH.keys()
    for key, text in catalogue(language).items():
        assert text.strip(), key
        assert _values(text) == _values(ENGLISH[key]), key


def test_there_are_two_languages() -> None:
    assert languages() == {"en", "de"}


def test_no_key_is_unused() -> None:
    assert sorted(ENGLISH.keys() - set(_used()) - {"language.name"}) == []


def test_every_key_that_a_template_names_is_there() -> None:
    named = {
        key
        for file in TEMPLATES.rglob("*.html")
        for key in re.findall(r"""\bt\(["']([a-z_.0-9]+)["'][,)]""", file.read_text())
    }
    assert named
    assert sorted(named - ENGLISH.keys()) == []


def test_a_key_that_a_language_lacks_is_english(monkeypatch: pytest.MonkeyPatch) -> None:
    real = words.catalogue
    monkeypatch.setattr(words, "catalogue", lambda language: real(language) if language == FALLBACK else {})
    assert Words("de").t("sign_in.title") == "Sign in"


def test_what_is_filled_in_is_not_filled_in_again() -> None:
    assert Words("en").t("consent.title", application="{t.__globals__}") == "Allow {t.__globals__}?"


def test_a_moment_is_said_in_the_language() -> None:
    assert Words("en").when(0) == "1 Jan 1970, 00:00 UTC"
    assert Words("de").when(1_780_000_000) == "28. Mai 2026, 20:26 UTC"


@pytest.mark.parametrize("language", sorted(languages()))
def test_there_are_twelve_months(language: str) -> None:
    assert len(catalogue(language)["dates.months"].split()) == 12


@pytest.mark.parametrize(
    ("ui_locales", "accept_language", "expected"),
    [
        ("", "", "en"),
        ("de", "en", "de"),
        ("fr de-AT en", "en", "de"),
        ("DE-1996", "", "de"),
        ("fr", "de", "de"),
        ("", "de-DE,de;q=0.9,en;q=0.8", "de"),
        ("", "en;q=0.5, de;q=0.7", "de"),
        ("", "de;q=0, en", "en"),
        ("", "fr, *", "en"),
        ("", "de;q=2, en;q=0.1", "en"),
        ("", "de;v=1, en;q=0.1", "en"),
        ("<script>", "../../de", "en"),
        ("../de", "", "en"),
        ("x " * 5000 + "de", "", "en"),
        ("", "x," * 5000 + "de", "en"),
    ],
)
def test_the_first_wish_that_can_be_met_decides(ui_locales: str, accept_language: str, expected: str) -> None:
    assert choose(languages(), ui_locales, accept_language, "en") == expected


def test_the_setting_decides_where_nobody_wishes() -> None:
    assert choose(languages(), "fr", "it", "de") == "de"


def test_no_page_in_german_says_a_sentence_in_english(world: World) -> None:
    english = {
        text for key, text in ENGLISH.items() if len(text) > 12 and "{" not in text and text != catalogue("de")[key]
    }
    for name, context in examples().items():
        text = shown(world, name.partition(":")[0], "de", **context)
        assert [one for one in english if f">{one}<" in text] == [], name


def _used() -> list[str]:
    files = [*TEMPLATES.rglob("*.html"), *PACKAGE.rglob("*.py")]
    texts = [file.read_text() for file in files]
    used = [key for text in texts for key in KEY.findall(text)]
    begun = [prefix for text in texts for prefix in PREFIX.findall(text)]
    begun += [f"mail_{template}." for template in get_args(Template)]
    return used + [key for key in ENGLISH if any(key.startswith(prefix) for prefix in begun)]


def _values(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
