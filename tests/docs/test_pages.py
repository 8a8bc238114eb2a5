"""What the pages tell a reader to do works, and prints what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.commands import Reader, blocks_of

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]


@pytest.mark.real
@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_a_reader_who_follows_the_page_sees_what_it_says(page: Path, tmp_path: Path) -> None:
    Reader(tmp_path).follow(page)


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_page_has_commands_with_their_output(page: Path) -> None:
    """A page without commands, or whose output nobody compares, could say anything."""
    languages = [block.language for block in blocks_of(page)]
    assert "sh" in languages
    assert "text" in languages
