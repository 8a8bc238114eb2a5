"""The client's own servers, for the client's commands."""

from tests.client.conftest import api, authorization_server, client_file, clock, key

__all__ = ["api", "authorization_server", "client_file", "clock", "key"]
