"""Settings of the service; issuer, audience and the API's own key come from OSTIARY_ISSUER, OSTIARY_AUDIENCE, ...."""

import os
import secrets

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or secrets.token_urlsafe(32)
DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ROOT_URLCONF = "orders.urls"
WSGI_APPLICATION = "orders.wsgi.application"
MIDDLEWARE = [
    "django.middleware.common.CommonMiddleware",
    "ostiary.resource_server.django.OstiaryMiddleware",
]
OSTIARY = {
    "scopes": {"orders:read": "See orders", "orders:write": "Place orders"},
    "public_paths": ["/healthz"],
    "accept_client_requests": "OSTIARY_API_KEY_FILE" in os.environ,
}
USE_TZ = True
