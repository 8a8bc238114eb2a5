"""The types that settings are made of: paths beside the file, client ids, networks, lists from the environment."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from ostiary.model import names

SigningAlgorithm = Literal["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"]


class Section(BaseModel):
    """A table of the file: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return path if folder is None else Path(folder) / path.expanduser()


def split(given: Any) -> Any:
    """A field's reading: a list in the environment is one text with commas."""
    return tuple(part.strip() for part in given.split(",") if part.strip()) if isinstance(given, str) else given


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError('is no network; write it like "10.1.0.0/16" or "fd00::/8"') from None


def is_loopback(host: str) -> bool:
    """Whether ``host`` is an address or a name of this machine alone; no name is looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


FilePath = Annotated[Path, AfterValidator(_beside_the_file)]
Texts = Annotated[tuple[str, ...], BeforeValidator(split)]
Paths = Annotated[tuple[FilePath, ...], BeforeValidator(split)]
Algorithms = Annotated[tuple[SigningAlgorithm, ...], BeforeValidator(split), Field(min_length=1)]
Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(split)]
ClientId = Annotated[str, AfterValidator(names.client_id)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=1)]
