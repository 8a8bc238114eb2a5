"""Reads ``ostiary.toml`` and the environment, which goes before it; every fault is one sentence with its mend."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from ostiary.errors import ConfigurationError
from ostiary.settings.environment import from_environment
from ostiary.settings.sections import Settings
from ostiary.settings.unknown_keys import HIDDEN, nearest

_SQLITE = "sqlite:///"


def load_settings(path: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in the file ``path`` (None for none) and in ``environ``; paths are relative to the file's folder.

    Raises ConfigurationError: a file that cannot be read, an unknown key (it names the nearest), a value that does not
    fit, settings that contradict each other, a secret that others can read.
    """
    from_file = {} if path is None else _read(path)
    if path is not None:
        _check_secrets(path, from_file)
    folder = (path.parent if path is not None else Path()).resolve()
    return validated(_merged(from_file, from_environment(environ)), folder, str(path or "the environment"))


def validated(tables: Mapping[str, Any], folder: Path, source: str) -> Settings:
    """``tables`` as settings. Raises ConfigurationError that begins with ``source``."""
    for hidden in sorted(HIDDEN & tables.keys()):
        raise ConfigurationError(_unknown(source, hidden))
    try:
        settings = Settings.model_validate(dict(tables), context={"folder": folder})
    except ValidationError as error:
        raise ConfigurationError(_sentence(source, error)) from None
    url = _beside_the_file(settings.storage.url, folder)
    return settings.model_copy(update={"storage": settings.storage.model_copy(update={"url": url})})


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"The settings file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The settings file {path} is no TOML: {error}.") from None


def _check_secrets(path: Path, tables: Mapping[str, Any]) -> None:
    keys, storage = tables.get("keys"), tables.get("storage")
    if isinstance(keys, dict) and "key_encryption_key" in keys:
        raise ConfigurationError(
            f"{path}: keys.key_encryption_key is a secret: put it into a file that keys.key_encryption_key_file names, "
            "or into the environment."
        )
    authority = tables.get("certificate_authority")
    token = authority.get("pkcs11") if isinstance(authority, dict) else None
    if isinstance(token, dict) and "pin" in token:
        raise ConfigurationError(
            f"{path}: certificate_authority.pkcs11.pin is a secret: put it into a file that pin_file names, "
            "or into the environment."
        )
    for name in _written_secrets(tables):
        if _is_open(path):
            raise ConfigurationError(
                f"{path}: {name} is a secret and other users can read the file: chmod 600 {path}, "
                f"or put it into a file that {name}_file names."
            )
    for name in ("url", "wake_ups_url"):
        url = storage.get(name) if isinstance(storage, dict) else None
        if isinstance(url, str) and urlsplit(url).password and _is_open(path):
            raise ConfigurationError(
                f"{path}: storage.{name} holds a password and other users can read the file: chmod 600 {path}, "
                f"or name a file by OSTIARY_STORAGE__{name.upper()}_FILE."
            )


def _written_secrets(tables: Mapping[str, Any]) -> list[str]:
    """The names of the secrets of others (a mail server's, a provider's) that stand in the file itself."""
    email, upstream = tables.get("email"), tables.get("upstream")
    found = ["email.password"] if isinstance(email, dict) and "password" in email else []
    providers = upstream.items() if isinstance(upstream, dict) else ()
    return found + [
        f"upstream.{name}.client_secret"
        for name, provider in providers
        if isinstance(provider, dict) and "client_secret" in provider
    ]


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        present = merged.get(name)
        merged[name] = _merged(present, value) if isinstance(present, dict) and isinstance(value, dict) else value
    return merged


def _sentence(source: str, error: ValidationError) -> str:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    # A misspelled key often is why another is missing, so the misspelling is told first.
    first = min(details, key=lambda detail: detail["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"] if part != "[key]")
    if first["type"] == "extra_forbidden":
        return _unknown(source, key)
    if first["type"] == "missing":
        return f"{source}: {key} is missing: set it."
    reason = first["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{source}: {key}: {reason}." if key else f"{source}: {reason}."


def _unknown(source: str, key: str) -> str:
    return f"{source}: {key} is no setting; did you mean {nearest(key)}?"


def _beside_the_file(url: str, folder: Path) -> str:
    name = url.removeprefix(_SQLITE)
    return url if name == url else f"{_SQLITE}{folder / name}"
