"""The OAuth endpoints as an OpenAPI document: what schemathesis holds the running server to."""

from __future__ import annotations

from typing import Any

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

_CALLER = {
    "client_id": {"type": "string"},
    "client_assertion_type": {"type": "string", "enum": ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]},
    "client_assertion": {"type": "string", "minLength": 1},
}
_ERROR = {
    "type": "object",
    "required": ["error", "error_description", "trace"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "enum": [
                "invalid_request",
                "invalid_client",
                "invalid_grant",
                "unauthorized_client",
                "unsupported_grant_type",
                "invalid_scope",
                "invalid_target",
                "unsupported_token_type",
                "temporarily_unavailable",
            ]
        },
        # "Values for the 'error_description' parameter MUST NOT include characters outside the set" RFC 6749 5.2
        "error_description": {"type": "string", "pattern": "^[\\x20-\\x21\\x23-\\x5B\\x5D-\\x7E]+$"},
        "trace": {"type": "string", "pattern": "^tr_[A-Za-z0-9_-]{16,}$"},
    },
}
_TOKEN = {
    "type": "object",
    "required": ["access_token", "token_type", "expires_in", "scope"],
    "properties": {
        "access_token": {"type": "string"},
        "token_type": {"enum": ["Bearer"]},
        "expires_in": {"type": "integer", "minimum": 1},
        "scope": {"type": "string"},
    },
}
_ACTIVE = {"type": "object", "required": ["active"], "properties": {"active": {"type": "boolean"}}}
_KEYS = {
    "type": "object",
    "required": ["keys"],
    "properties": {"keys": {"type": "array", "items": {"type": "object", "required": ["kty", "kid", "alg"]}}},
}


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ostiary's OAuth endpoints", "version": "1"},
        "paths": {
            "/token": _form(
                {
                    "grant_type": {"type": "string", "enum": ["client_credentials"]},
                    "resource": {"type": "string", "format": "uri"},
                    "scope": {"type": "string"},
                },
                ["grant_type"],
                _TOKEN,
            ),
            "/introspect": _form(
                {"token": {"type": "string"}, "token_type_hint": {"type": "string"}}, ["token"], _ACTIVE
            ),
            "/revoke": _form({"token": {"type": "string"}, "token_type_hint": {"type": "string"}}, ["token"], None),
            "/client-keys": _form({"client": {"type": "string"}, "kid": {"type": "string"}}, ["client"], _KEYS),
            "/client-keys/next": _form({"next_key": {"type": "string"}}, ["next_key"], {"type": "object"}),
            "/jwks": _document(_KEYS, "application/jwk-set+json"),
            "/.well-known/oauth-authorization-server": _document(
                {"type": "object", "required": ["issuer", "jwks_uri"]}
            ),
            "/.well-known/openid-configuration": _document({"type": "object", "required": ["issuer", "jwks_uri"]}),
        },
    }


def _form(properties: dict[str, Any], required: list[str], answer: dict[str, Any] | None) -> dict[str, Any]:
    body = {
        "type": "object",
        "properties": {**properties, **_CALLER},
        "required": [*required, "client_assertion_type", "client_assertion"],
    }
    good = {"description": "done", **({"content": {JSON: {"schema": answer}}} if answer else {})}
    refused = {"description": "refused", "content": {JSON: {"schema": _ERROR}}}
    return {
        "post": {
            "requestBody": {"required": True, "content": {FORM: {"schema": body}}},
            "responses": {"200": good, "400": refused, "401": refused, "403": refused, "413": refused},
        }
    }


def _document(schema: dict[str, Any], media_type: str = JSON) -> dict[str, Any]:
    return {"get": {"responses": {"200": {"description": "the document", "content": {media_type: {"schema": schema}}}}}}
