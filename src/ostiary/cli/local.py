"""How commands reach the installation on this machine: its settings and its database, without a server in between."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ostiary.errors import ConfigurationError
from ostiary.key_management.base import KeyManagement, KeyToken
from ostiary.key_management.file import FileKeyManagement
from ostiary.key_management.open import key_token
from ostiary.revocation_feed.open import wake_ups_for
from ostiary.settings import Settings, dev_settings, load_settings
from ostiary.storage.base import Storage
from ostiary.storage.open import storage_for


@dataclass(frozen=True, slots=True)
class Local:
    """The installation on this machine, its database open."""

    settings: Settings
    storage: Storage
    clock: Callable[[], float] = time.time

    def key_management(self) -> KeyManagement:
        """Raises ConfigurationError: there is no key-encryption key, or it cannot be read."""
        return FileKeyManagement.from_settings(self.settings.keys)

    def key_token(self) -> KeyToken | None:
        """The token that keeps keys of authorities, None if none is configured. Raises ConfigurationError."""
        return key_token(self.settings.certificate_authority)


def local_settings(
    config: Path | None,
    *,
    directory: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    folder: Path | None = None,
) -> Settings:
    """The settings in ``config``, else in what OSTIARY_CONFIG names, else in ostiary.toml, else of ``ostiary dev``.

    directory: the data of ``ostiary dev``, if it is named; then no settings file is looked for.
    folder: where to look for the latter two; default: the present one. Raises ConfigurationError.
    """
    if directory is not None:
        return _dev_data(config, directory)
    here = folder or Path()
    named = config or (Path(environ["OSTIARY_CONFIG"]) if environ.get("OSTIARY_CONFIG") else None)
    if named is None and (here / "ostiary.toml").exists():
        named = here / "ostiary.toml"
    if named is not None:
        return load_settings(named, environ)
    if (here / ".ostiary" / "ostiary.db").exists():
        return dev_settings(here / ".ostiary")
    raise ConfigurationError(
        "There is no installation here: name its settings by --config or OSTIARY_CONFIG, or change to the folder that"
        " holds ostiary.toml or .ostiary."
    )


def _dev_data(config: Path | None, directory: Path) -> Settings:
    if config is not None:
        raise ConfigurationError("--config and --directory name two installations: give one of them.")
    if not (directory / "ostiary.db").exists():
        raise ConfigurationError(f"There is no data of `ostiary dev` in {directory}: start it there first.")
    return dev_settings(directory)


@asynccontextmanager
async def open_local(
    config: Path | None, *, directory: Path | None = None, patient: bool = False
) -> AsyncIterator[Local]:
    """The installation that ``local_settings`` finds; patient: see ``storage_for``.

    Raises ConfigurationError and Unavailable.
    """
    settings = local_settings(config, directory=directory)
    storage = storage_for(settings.storage.url, patient=patient)
    await storage.open()
    # Nobody waits here; but what a command revokes, the nodes are to hear of.
    wake_ups = wake_ups_for(settings, storage)
    try:
        yield Local(settings, storage)
    finally:
        await wake_ups.close()
        await storage.close()
