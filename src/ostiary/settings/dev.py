"""The settings of ``ostiary dev``: everything on loopback, all data in ``.ostiary/``, nothing to configure."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ostiary.errors import ConfigurationError
from ostiary.secret_files import write_secret_file
from ostiary.settings.environment import from_environment
from ostiary.settings.load import validated
from ostiary.settings.sections import Settings

_KEY_BYTES = 32
_PORTS_FILE = "ports"
_PORTS = (8400, 8401, 8403)  # 8402 is the demo API's
_OF_USERS = ("OSTIARY_SIGN_IN__", "OSTIARY_PAGES__")


def dev_settings(
    directory: Path,
    *,
    port: int | None = None,
    management_port: int | None = None,
    mtls_port: int | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Settings for trying out; makes ``directory`` (``.ostiary``) and the key-encryption key in it, once.

    port, management_port, mtls_port: where None, those that ``ostiary dev`` was last started with there, else 8400,
    8401 and 8403.
    environ: may say how users sign in and how the pages look (``OSTIARY_SIGN_IN__...``, ``OSTIARY_PAGES__...``), their
    paths relative to the present folder; nothing else of it counts.

    Raises ConfigurationError when the folder cannot be made.
    """
    folder = directory.resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"The folder {folder} cannot be made: {error.strerror}.") from None
    key_file = folder / "key-encryption-key"
    if not key_file.exists():
        write_secret_file(key_file, base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).rstrip(b"=") + b"\n")
    known = _known_ports(folder)
    port, management_port, mtls_port = (
        given or before for given, before in zip((port, management_port, mtls_port), known, strict=True)
    )
    tables: dict[str, Any] = {
        "issuer": f"http://localhost:{port}",
        "storage": {"url": f"sqlite:///{folder / 'ostiary.db'}"},
        "keys": {"key_encryption_key_file": key_file, "publish_before": 2, "jwks_max_age": 2},
        "server": {"host": "localhost", "port": port},
        "mtls": {"port": mtls_port, "public_url": f"https://localhost:{mtls_port}", "tls_from_own_ca": True},
        "certificate_authority": {"trust_domain": "localhost"},
        "management": {"host": "127.0.0.1", "port": management_port},
        "audit": {"heads_file": folder / "audit-heads.jsonl"},
        "log": {"format": "text"},
        "email": {"outbox_dir": folder / "outbox", "from_address": "ostiary@localhost"},
        "fetching": {"allow_networks": ("127.0.0.0/8", "::1/128"), "allow_http": True},
    }
    tables |= _chosen(environ)
    return validated(tables, folder, "ostiary dev").model_copy(update={"dev": True})


def _chosen(environ: Mapping[str, str]) -> dict[str, Any]:
    named = {name: value for name, value in environ.items() if name.startswith(_OF_USERS)}
    chosen = from_environment(named)
    pages = chosen.get("pages", {})
    pages |= {name: Path(path).absolute() for name, path in pages.items() if name.endswith(("_file", "_dir"))}
    return chosen


def remember_ports(directory: Path, port: int, management_port: int, mtls_port: int) -> None:
    """Keep the ports of ``ostiary dev`` for the commands that work on its data beside it."""
    (directory / _PORTS_FILE).write_text(f"{port} {management_port} {mtls_port}\n", encoding="ascii")


def _known_ports(folder: Path) -> tuple[int, ...]:
    try:
        known = [int(port) for port in (folder / _PORTS_FILE).read_text(encoding="ascii").split()]
    except FileNotFoundError:
        return _PORTS
    except (OSError, ValueError):
        known = []
    if not 2 <= len(known) <= len(_PORTS):
        raise ConfigurationError(f"{folder / _PORTS_FILE} cannot be read: remove it and start `ostiary dev`.")
    return (*known, *_PORTS[len(known) :])
