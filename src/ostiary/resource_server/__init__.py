"""The library that admits or refuses each request to an API.

Names are imported at first use, so that the pytest plugin beside them costs other suites nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostiary.resource_server.client_certificates import FromProxy, FromTls
    from ostiary.resource_server.core import ResourceServer
    from ostiary.resource_server.errors import Refused
    from ostiary.resource_server.issuer import IssuerConfig
    from ostiary.resource_server.principal import Principal
    from ostiary.resource_server.proxy_proof import ProxyCertificate, ProxySecret, UnixSocket
    from ostiary.resource_server.request import ApiRequest
    from ostiary.resource_server.signed_in_user import SignedInUser

__all__ = [
    "ApiRequest",
    "FromProxy",
    "FromTls",
    "IssuerConfig",
    "Principal",
    "ProxyCertificate",
    "ProxySecret",
    "Refused",
    "ResourceServer",
    "SignedInUser",
    "UnixSocket",
]

_PLACES = {
    "ApiRequest": "request",
    "FromProxy": "client_certificates",
    "FromTls": "client_certificates",
    "IssuerConfig": "issuer",
    "Principal": "principal",
    "ProxyCertificate": "proxy_proof",
    "ProxySecret": "proxy_proof",
    "Refused": "errors",
    "ResourceServer": "core",
    "SignedInUser": "signed_in_user",
    "UnixSocket": "proxy_proof",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value
