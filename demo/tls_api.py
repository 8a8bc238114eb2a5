"""The sample API over TLS, with a certificate of the private CA: ``python -m demo.tls_api SAMPLES PORT PEM ROOT``.

uvicorn does not tell an application which certificate its client showed; our protocol for it does.
"""

from __future__ import annotations

import ssl
import sys

import uvicorn

from ostiary.serving.http_protocol import OstiaryHttpProtocol


def main() -> None:
    """Serve ``app:app`` of the folder; a client may show a certificate, which must be of the CA."""
    samples, port, certificate, root = sys.argv[1:]
    sys.path.insert(0, samples)
    uvicorn.run(
        "app:app",
        host="localhost",
        port=int(port),
        http=OstiaryHttpProtocol,
        ssl_certfile=certificate,
        ssl_keyfile=certificate,
        ssl_ca_certs=root,
        ssl_cert_reqs=ssl.CERT_OPTIONAL,
    )


if __name__ == "__main__":
    main()
