"""Every link of a Markdown file that stays inside the repository leads somewhere."""

import re
from pathlib import Path

from tests.house.repository import own_files, short

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|!\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def test_links_inside_the_repository_resolve() -> None:
    pages = list(own_files(".md"))
    assert pages
    assert [broken for page in pages for broken in _broken(page, page.read_text(), short(page))] == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "there.md").write_text("# A `heading`, with signs\n")
    text = "[a](there.md) [b](there.md#a-heading-with-signs) [c](gone.md) [d](there.md#gone) [e](https://example.com)"
    assert _broken(page, text, "page.md") == ["page.md -> gone.md", "page.md -> there.md#gone"]


def _broken(page: Path, text: str, name: str) -> list[str]:
    broken = []
    for match in LINK.finditer(CODE.sub("", text)):
        target = match.group(1) or match.group(2)
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        content = text if not path else file.read_text() if file.is_file() else ""
        if not file.exists() or (fragment and fragment not in _anchors(content)):
            broken.append(f"{name} -> {target}")
    return broken


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+\s+(.*?)\s*$", CODE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
