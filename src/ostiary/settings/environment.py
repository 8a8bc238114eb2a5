"""Settings from the environment: ``OSTIARY_SECTION__NAME``, and ``OSTIARY_SECTION__NAME_FILE`` for what is secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ostiary.errors import ConfigurationError
from ostiary.secret_files import read_secret_file
from ostiary.settings.unknown_keys import known_keys, nearest

PREFIX = "OSTIARY_"
SECRETS = frozenset(
    {"storage.url", "storage.wake_ups_url"}
)  # besides keys.key_encryption_key, whose _FILE is a setting of its own
# What the client and the guard of an API read; a server may run where one of them does.
OTHER_PARTS = frozenset(
    {"AUDIENCE", "API_KEY_FILE", "CLIENT_FILE", "TRACE_FILE", "REPLAY_FILE", "REPLAY_URL", "REPLAY_URL_FILE"}
    | {"CONFIG", "CREDENTIAL", "CREDENTIAL_FILE", "ADMIN_URL", "ADMIN_FILE"}
)
OTHER_PREFIXES = ("TEST_", "BENCH_", "DEMO_")


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings that stand in ``environ``, nested as in the file.

    Raises ConfigurationError for a name that is no setting, and for a secret file that cannot be used.
    """
    settings: dict[str, Any] = {}
    for key, value in _entries(environ):
        *sections, name = key.split(".")
        table = settings
        for section in sections:
            table = table.setdefault(section, {})
        if name in table:
            raise ConfigurationError(f"{_variable(key)} and {_variable(key)}_FILE are both set: keep one.")
        table[name] = value
    return settings


def _entries(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    known = {key for key in known_keys() if "<name>" not in key}
    for variable, value in environ.items():
        name = variable.removeprefix(PREFIX)
        if name == variable or name in OTHER_PARTS or name.startswith(OTHER_PREFIXES):
            continue
        key = name.lower().replace("__", ".")
        secret = key.removesuffix("_file")
        if key in known and variable == _variable(key):
            yield key, value
        elif secret != key and secret in SECRETS and variable == f"{_variable(secret)}_FILE":
            yield secret, _text(variable, Path(value))
        else:
            meant = nearest(key)
            hint = _variable(meant) if meant in known else f"{meant} in the file"
            raise ConfigurationError(f"The environment variable {variable} is no setting; did you mean {hint}?")


def _variable(key: str) -> str:
    return PREFIX + key.upper().replace(".", "__")


def _text(variable: str, path: Path) -> str:
    try:
        return read_secret_file(path).decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ConfigurationError(f"The file {path} named by {variable} is no text.") from None
