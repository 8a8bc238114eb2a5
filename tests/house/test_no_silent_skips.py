"""A skipped test rots unseen: what a test needs is fetched, or the suite fails and names it."""

import ast
from collections.abc import Iterator

import pytest

from tests.house.repository import CHECKOUT, own_files, short

ESCAPES = {"skip", "skipif", "skipIf", "skipUnless", "skipTest", "SkipTest", "xfail", "importorskip", "expectedFailure"}


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    tests = [path for path in own_files(".py") if path.is_relative_to(CHECKOUT / "tests")]
    found = [f"{short(path)}:{line} {name}" for path in tests for line, name in _escapes(path.read_text())]
    assert tests
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "pytest." + "skip('later')",
        "@pytest.mark." + "skipif(True, reason='x')\ndef test_a(): ...",
        "@pytest.mark." + "xfail\ndef test_a(): ...",
        "from pytest import " + "importorskip",
    ],
)
def test_the_ways_to_skip_are_recognised(source: str) -> None:
    assert list(_escapes(source))


def _escapes(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in ESCAPES:
            yield node.lineno, node.attr
        if isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name in ESCAPES)
