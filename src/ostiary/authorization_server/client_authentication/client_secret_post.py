"""``client_secret_post``: ``client_id`` and ``client_secret`` in the form, RFC 6749 section 2.3.1; legacy."""

from __future__ import annotations

from ostiary.authorization_server.client_authentication import client_secrets
from ostiary.authorization_server.client_authentication.base import Attempt, Form, Method, refused
from ostiary.authorization_server.http import Request


def _presented(request: Request, form: Form) -> bool:
    return "client_secret" in form


def _attempt(request: Request, form: Form) -> Attempt:
    if "client_id" not in form:
        # "client_id REQUIRED. The client identifier issued to the client" RFC 6749 2.3.1
        raise refused(
            "method",
            seen="client_secret without client_id",
            expected="both",
            public="client_secret and client_id belong together",
        )
    return client_secrets.attempt(form["client_id"], form["client_secret"])


METHOD = Method("client_secret_post", _presented, _attempt)
