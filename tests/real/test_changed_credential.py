"""A client whose key is replaced while it runs, at a real server: its file is enough, it is not started anew."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2
import pytest

from ostiary.client import ClientAuth, TokenRequestRefused
from tests.client.http_server import Reply, Server
from tests.real.dev_server import running_dev

pytestmark = pytest.mark.real


def test_a_client_goes_on_with_its_next_key_when_the_old_one_is_retired(tmp_path: Path) -> None:
    with running_dev(tmp_path) as dev, Server() as api:
        # It refuses every token, so that each call asks for another one.
        api.routes["/orders"] = lambda _: Reply(401)
        dev.ostiary("api", "create", api.url, "--name", "orders", "--scope", "orders:read=see orders")
        dev.ostiary("client", "create", "shop", "--generate", "shop.json", "--grant", f"{api.url}=orders:read")
        old = json.loads((tmp_path / "shop.json").read_text())["private_key"]["kid"]
        dev.ostiary("client", "keys", "add", "shop", "--generate", "next.json")
        auth = ClientAuth.from_file(tmp_path / "shop.json", resource=api.url)

        def call() -> list[str]:
            before = len(api.received)
            with httpx2.Client(auth=auth, timeout=20.0) as http:
                assert http.get(f"{api.url}/orders").status_code == 401
            return [received.headers["authorization"] for received in api.received[before:]]

        first = call()
        assert len(set(first)) == 2  # a fresh one instead of the refused one
        dev.ostiary("client", "keys", "retire", "shop", old)
        lasting = ClientAuth.from_file(tmp_path / "shop.json", resource=api.url)
        with httpx2.Client(auth=lasting, timeout=20.0) as http:
            with pytest.raises(TokenRequestRefused, match="invalid_client"):
                http.get(f"{api.url}/orders")
            (tmp_path / "next.json").rename(tmp_path / "shop.json")
            assert http.get(f"{api.url}/orders").status_code == 401  # the API's own answer: there was a token
        assert len(api.received) == 4
