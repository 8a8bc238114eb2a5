"""A second process of the same API: reads client JWTs line by line and says how it decides."""

from __future__ import annotations

import sys

from ostiary.resource_server import ApiRequest, Refused, ResourceServer


def main(issuer: str, audience: str, replay_file: str, credential: str) -> None:
    guard = ResourceServer(
        issuer,
        audience,
        credential,
        accept_client_requests=True,
        traces=[],
        environment={"OSTIARY_REPLAY_FILE": replay_file},
    )
    for line in sys.stdin:
        headers = [(b"ostiary-client-jwt", line.strip().encode())]
        try:
            print(guard.check_sync(ApiRequest("GET", "/orders", headers=headers)).client_id)
        except Refused as refused:
            print(refused.description)


if __name__ == "__main__":
    main(*sys.argv[1:])
