"""The types that settings are made of: paths beside the file, client ids, networks, lists from the environment."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from ostiary.model.client import USER_SUBJECT_PREFIX

_CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")
MAX_RESOURCE_LENGTH = 2048

SigningAlgorithm = Literal["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"]


class Section(BaseModel):
    """A table of the file: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return path if folder is None else Path(folder) / path.expanduser()


def _split(given: Any) -> Any:
    """A list in the environment is one text with commas."""
    return tuple(part.strip() for part in given.split(",") if part.strip()) if isinstance(given, str) else given


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError('is no network; write it like "10.1.0.0/16" or "fd00::/8"') from None


def client_id(text: str) -> str:
    """``text`` if it can be a client_id, else ValueError.

    RFC 9068 section 5: a client must not choose an identifier that could be mistaken for a user's subject.
    """
    if not _CLIENT_ID.fullmatch(text):
        raise ValueError("must be 1 to 64 of the characters A-Z a-z 0-9 . _ ~ -")
    if text.startswith(USER_SUBJECT_PREFIX):
        raise ValueError(f'must not begin with "{USER_SUBJECT_PREFIX}", as the subjects of users do')
    return text


def is_loopback(host: str) -> bool:
    """Whether ``host`` is an address or a name of this machine alone; no name is looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


FilePath = Annotated[Path, AfterValidator(_beside_the_file)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_split)]
Paths = Annotated[tuple[FilePath, ...], BeforeValidator(_split)]
Algorithms = Annotated[tuple[SigningAlgorithm, ...], BeforeValidator(_split), Field(min_length=1)]
Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(_split)]
ClientId = Annotated[str, AfterValidator(client_id)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=1)]
