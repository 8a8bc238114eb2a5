"""A file that outgrows its limit is two things; a function that does is several (docs/architecture.md)."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.repository import PACKAGE, short

LONGEST_FILE = 400
LONGEST_FUNCTION = 50


def test_no_file_of_the_product_is_longer_than_400_lines() -> None:
    lengths = {short(path): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_function_of_the_product_is_longer_than_50_lines() -> None:
    lengths = [found for path in PACKAGE.rglob("*.py") for found in _functions(path.read_text(), short(path))]
    assert lengths
    assert [(name, lines) for name, lines in lengths if lines > LONGEST_FUNCTION] == []


def test_a_function_is_measured_from_its_name_to_its_last_line() -> None:
    source = "\n".join(["class A:", "    async def b(self):", *["        pass"] * 50])
    assert list(_functions(source, "a.py")) == [("a.py:2 b", 51)]


def test_every_file_of_the_product_says_what_it_is_in_a_docstring() -> None:
    silent = [
        short(path)
        for path in PACKAGE.rglob("*.py")
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def _functions(source: str, file: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(source, filename=str(Path(file)))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            yield f"{file}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1
