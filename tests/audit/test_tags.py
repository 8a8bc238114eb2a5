"""Every tag that the source uses is declared, and every declared tag has its meaning and its use."""

import re
from pathlib import Path

from ostiary.audit import tags

PACKAGE = Path(tags.__file__).parents[1]
CONSTANTS = {name: value for name, value in vars(tags).items() if name.isupper() and isinstance(value, str)}
SOURCES = {path: path.read_text() for path in PACKAGE.rglob("*.py") if path != Path(tags.__file__)}


def test_every_tag_has_one_sentence_of_meaning() -> None:
    assert set(CONSTANTS.values()) == set(tags.MEANINGS)
    assert all(meaning.endswith(".") for meaning in tags.MEANINGS.values())


def test_no_two_constants_name_the_same_tag() -> None:
    assert len(set(CONSTANTS.values())) == len(CONSTANTS)


def test_a_tag_is_a_subject_and_a_verb() -> None:
    assert all(re.fullmatch(r"[a-z_]+:[a-z_]+", tag) for tag in CONSTANTS.values())


def test_every_tag_in_the_source_is_a_declared_constant() -> None:
    used = {name for text in SOURCES.values() for name in re.findall(r"\btags\.([A-Z][A-Z_]+)\b", text)}
    assert used - {"MEANINGS"} <= set(CONSTANTS)


def test_no_source_spells_a_tag_out() -> None:
    spelled = {
        (path.name, tag)
        for path, text in SOURCES.items()
        for tag in CONSTANTS.values()
        if re.search(rf'AuditEvent\(\s*(?:tag=)?"{tag}"', text)
    }
    assert spelled == set()


def test_every_declared_tag_is_used() -> None:
    used = {name for text in SOURCES.values() for name in re.findall(r"\btags\.([A-Z][A-Z_]+)\b", text)}
    assert set(CONSTANTS) <= used
