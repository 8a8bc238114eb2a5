"""A CA whose issuing key is in a SoftHSM token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostiary.certificate_authority import founding
from ostiary.certificate_authority.authorities import Authorities
from ostiary.key_management.file import FileKeyManagement
from ostiary.key_management.pkcs11 import Pkcs11Token
from ostiary.key_management.token_thread import TokenThread
from ostiary.model.certificate_authority import Authority
from ostiary.protocol import algorithms
from ostiary.secret_files import write_secret_file
from ostiary.settings.certificate_authority import Pkcs11Settings
from tests.authorization_server.world import World
from tests.certificate_authority.authority import CONSTRAINTS, Ca
from tests.real_parts.softhsm import PIN, SoftHsm

LABEL = "ostiary"


@dataclass
class TokenCa:
    """``ca`` is the one whose key is in ``token``; each process has a token object of its own."""

    world: World
    hsm: SoftHsm
    ca: Ca
    pin_file: Path

    def settings(self, **changes: Any) -> Pkcs11Settings:
        plain = {"module": str(self.hsm.module), "token": LABEL, "pin_file": str(self.pin_file)}
        return Pkcs11Settings.model_validate(plain | changes)

    def token(self, thread: TokenThread | None = None, **changes: Any) -> Pkcs11Token:
        settings = self.settings(**changes)
        return Pkcs11Token(settings) if thread is None else Pkcs11Token(settings, thread=thread)

    def restart(self, thread: TokenThread | None = None, **changes: Any) -> Pkcs11Token:
        """The authorities as a new process sees them."""
        token = self.token(thread, **changes)
        self._start(token)
        return token

    def restart_without_token(self) -> None:
        """The same, of a process whose settings name no token."""
        self._start(None)

    def _start(self, token: Pkcs11Token | None) -> None:
        management = FileKeyManagement.from_settings(self.world.settings.keys)
        made = Authorities(self.world.storage, management, self.world.settings, self.world.clock, token)
        self.world.server.authorities = made
        self.world.run(made.refresh())

    def add(self, alg: str = "ES256") -> Authority:
        """The next issuing CA, its key in the token."""
        life, act = self.ca.life(), self.ca.act()
        made = life.add_issuing(self.ca.root, "Example", alg, CONSTRAINTS, act, key_store="pkcs11")
        record: Authority = self.world.run(made)
        self.world.run(self.world.server.authorities.refresh())
        return record


def token_authority(world: World, folder: Path, setenv: Callable[[str, str], None]) -> TokenCa:
    """An installation with a token that has no key yet, and a root in a file."""
    hsm = SoftHsm(folder)
    for name, value in hsm.environment.items():
        setenv(name, value)
    hsm.make_token(LABEL)
    pin_file = folder / "pin"
    write_secret_file(pin_file, PIN.encode() + b"\n")
    root = founding.new_root("Example", algorithms.generate("ES256"), "ES256", world.clock())
    made = TokenCa(world, hsm, Ca(world, root), pin_file)
    made.restart()
    return made
