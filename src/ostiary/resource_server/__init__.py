"""The library that admits or refuses each request to an API."""

from ostiary.resource_server.core import ResourceServer
from ostiary.resource_server.errors import Refused
from ostiary.resource_server.issuer import IssuerConfig
from ostiary.resource_server.principal import Principal
from ostiary.resource_server.request import ApiRequest

__all__ = ["ApiRequest", "IssuerConfig", "Principal", "Refused", "ResourceServer"]
