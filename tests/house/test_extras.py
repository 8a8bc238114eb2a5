"""The sentence for a missing extra names an extra that exists."""

import re
import tomllib

import pytest

from ostiary.extras import MissingExtra, missing_extra
from tests.house.repository import CHECKOUT, PACKAGE, short


def test_every_extra_that_a_sentence_names_is_declared() -> None:
    declared = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"].keys()
    named = {
        (short(path), extra)
        for path in PACKAGE.rglob("*.py")
        for extra in re.findall(r"\b(?:missing_extra|MissingExtra)\(\s*\"([^\"]*)\"", path.read_text())
    }
    assert {(file, extra) for file, extra in named if extra not in declared} == set()


def test_the_sentence_says_what_to_install_and_keeps_the_cause() -> None:
    cause = ModuleNotFoundError("No module named 'fastapi'", name="fastapi")
    with pytest.raises(
        ImportError, match=r'^This needs the extra "fastapi": pip install "ostiary\[fastapi\]"$'
    ) as seen:
        raise missing_extra("fastapi", cause) from cause
    assert isinstance(seen.value, MissingExtra)
    assert (seen.value.name, seen.value.extra, seen.value.__cause__) == ("fastapi", "fastapi", cause)
