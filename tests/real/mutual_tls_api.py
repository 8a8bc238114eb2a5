"""An API over TLS that asks each client for a certificate: ``python -m tests.real.mutual_tls_api FOLDER PORT ISSUER``.

FOLDER holds api.json, tls.pem, tls.key and door.pem, which names what TLS lets in.
"""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from typing import Any

import uvicorn

from ostiary.resource_server import ResourceServer
from ostiary.resource_server.asgi import AsgiGuard
from ostiary.serving.http_protocol import Limits, limited_protocol
from tests.real.served import ORDERS


async def orders(scope: Any, receive: Any, send: Any) -> None:
    """Tells who was admitted."""
    body = scope["state"]["principal"].client_id.encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def main(folder: Path, port: int, issuer: str) -> None:
    """Serve until the process is ended."""
    guard = ResourceServer(issuer, ORDERS, credential=folder / "api.json")
    uvicorn.run(
        AsgiGuard(orders, guard),
        port=port,
        http=limited_protocol(Limits()),
        interface="asgi3",
        ws="none",
        lifespan="off",
        log_level="warning",
        ssl_certfile=str(folder / "tls.pem"),
        ssl_keyfile=str(folder / "tls.key"),
        ssl_ca_certs=str(folder / "door.pem"),
        ssl_cert_reqs=ssl.CERT_OPTIONAL,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
