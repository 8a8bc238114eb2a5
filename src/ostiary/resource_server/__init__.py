"""The library that admits or refuses each request to an API.

Names are imported at first use, so that the pytest plugin beside them costs other suites nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostiary.resource_server.core import ResourceServer
    from ostiary.resource_server.errors import Refused
    from ostiary.resource_server.issuer import IssuerConfig
    from ostiary.resource_server.principal import Principal
    from ostiary.resource_server.request import ApiRequest
    from ostiary.resource_server.signed_in_user import SignedInUser

__all__ = ["ApiRequest", "IssuerConfig", "Principal", "Refused", "ResourceServer", "SignedInUser"]

_PLACES = {
    "ApiRequest": "request",
    "IssuerConfig": "issuer",
    "Principal": "principal",
    "Refused": "errors",
    "ResourceServer": "core",
    "SignedInUser": "signed_in_user",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value
