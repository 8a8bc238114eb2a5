"""The settings of ``ostiary dev``: everything on loopback, all data in ``.ostiary/``, nothing to configure."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

from ostiary.errors import ConfigurationError
from ostiary.settings.load import validated
from ostiary.settings.secret_files import write_secret_file
from ostiary.settings.sections import Settings

_KEY_BYTES = 32


def dev_settings(directory: Path, *, port: int = 8400, management_port: int = 8401) -> Settings:
    """Settings for trying out; makes ``directory`` (``.ostiary``) and the key-encryption key in it, once.

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
    tables = {
        "issuer": f"http://localhost:{port}",
        "storage": {"url": f"sqlite:///{folder / 'ostiary.db'}"},
        "keys": {"key_encryption_key_file": key_file, "publish_before": 2, "jwks_max_age": 2},
        "server": {"host": "localhost", "port": port},
        "management": {"host": "127.0.0.1", "port": management_port},
        "audit": {"heads_file": folder / "audit-heads.jsonl"},
        "log": {"format": "text"},
        "fetching": {"allow_networks": ("127.0.0.0/8", "::1/128"), "allow_http": True},
    }
    return validated(tables, folder, "ostiary dev").model_copy(update={"dev": True})
