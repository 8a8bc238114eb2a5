"""The repository says nothing about where it was written or where its dependencies are downloaded from."""

import re

import pytest

from tests.house.repository import own_files, short

# Written in two halves, so that this file does not name what it forbids.
REGISTRY_HOSTS = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "yarn" + "pkg.com",
    "deb.debian" + ".org",
    "crates" + ".io",
    "golang" + ".org",
    "repo.maven" + ".apache.org",
    "maven" + ".org",
]
FORBIDDEN = {
    "the host of a package registry": re.compile("|".join(re.escape(host) for host in REGISTRY_HOSTS)),
    "a path of one machine": re.compile(r"(?<![\w.:/~-])/(?:work|root|home|Users|opt/wheels)/\w"),
    "unfinished work": re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|Not" + r"ImplementedError)\b"),
}


def test_no_file_names_a_registry_a_machine_or_unfinished_work() -> None:
    found = [f"{short(path)}: {kind} {text!r}" for path in own_files() for kind, text in _forbidden(path.read_bytes())]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "see https://" + "pypi" + ".org/simple",
        "key = '/" + "home/somebody/key.pem'",
        "cd /" + "work/main",
        "# TO" + "DO: later",
        "raise Not" + "ImplementedError",
    ],
)
def test_what_is_forbidden_is_recognised(text: str) -> None:
    assert list(_forbidden(text.encode()))


@pytest.mark.parametrize("text", ["https://api.example.com/home/door", "Method", "/homestead", "~/work/key.pem"])
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert list(_forbidden(text.encode())) == []


def test_pins_have_hashes_and_no_addresses() -> None:
    pins = [path for path in own_files(".txt") if short(path).startswith("requirements/")]
    assert pins
    for path in pins:
        text = path.read_text()
        assert "://" not in text, short(path)
        assert not re.search(r"^\s*-(?!-hash=)", text, re.MULTILINE), f"{short(path)} has options"
        for requirement in re.split(r"\n(?=\w)", text.strip()):
            assert "==" in requirement, f"{short(path)}: {requirement.splitlines()[0]} is not pinned"
            assert "--hash=sha256:" in requirement, f"{short(path)}: {requirement.splitlines()[0]} has no hash"


def test_locks_of_node_packages_have_hashes_and_no_addresses() -> None:
    locks = [path for path in own_files(".json") if path.name == "package-lock.json"]
    assert locks
    for path in locks:
        text = path.read_text()
        assert '"resolved"' not in text, short(path)
        packages = re.findall(r'^    "node_modules/', text, re.MULTILINE)
        assert len(packages) == text.count('"integrity": "sha512-'), short(path)


def _forbidden(content: bytes) -> list[tuple[str, str]]:
    text = content.decode("utf-8", errors="replace")
    return [(kind, match.group()) for kind, pattern in FORBIDDEN.items() if (match := pattern.search(text))]
