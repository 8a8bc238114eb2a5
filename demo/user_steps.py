"""The steps with a user: somebody signs in in a browser, and an application calls the API on their behalf."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import httpx2

from demo import application
from demo.application import CALLBACK, CLIENT_ID, GOODBYE, Application
from demo.browser import Browser
from demo.checks import StepFailed, bearer, call, error_of, expect, reason
from demo.parts import FRESH_SIGN_IN, Demo

USERNAME = "ada"


@dataclass(slots=True)
class _Scene:
    """Who plays: the user with their password and browser, the application with the tokens it holds."""

    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)
    browser: Browser = field(init=False)
    app: Application = field(init=False)
    tokens: dict[str, Any] = field(default_factory=dict, repr=False)


_scene = _Scene()


def make_user(parts: Demo) -> str:
    """A user is made, with a password"""
    parts.ostiary(
        "user", "create", USERNAME, "--name", "Ada Lovelace", "--password-file", "-", given=_scene.password
    )  # fmt: skip
    return f"{USERNAME}; of the password only its argon2id hash is stored"


def register_application(parts: Demo) -> str:
    """An application is registered that signs users in; it can keep no secret (PKCE protects it)"""
    parts.ostiary(
        "client", "create", CLIENT_ID, "--name", "Orders application", "--public", "--redirect-uri", CALLBACK,
        "--post-logout-uri", GOODBYE, "--grant", f"{parts.api}=orders:read,orders:write",
    )  # fmt: skip
    _scene.app = Application(parts.issuer, parts.api)
    return f"{CLIENT_ID}, {CALLBACK}"


def sign_in(parts: Demo) -> str:
    """The user signs in in a browser, and allows the application what it asks for"""
    app = _scene.app
    _scene.browser = parts.closing.enter_context(Browser(parts.issuer))
    arrived, sent = application.sign_in(_scene.browser, app.authorize_url(), USERNAME, _scene.password)
    expect("forms", sent, ["sign-in-form", "consent-form"])
    _scene.tokens = app.redeem(arrived)
    told = application.claims(_scene.tokens["id_token"])
    return f"{' and '.join(sent)}; the ID token says: sub {told['sub']}, acr {told['acr']}, amr {' '.join(told['amr'])}"


def call_for_user(parts: Demo) -> str:
    """The application calls the API on the user's behalf, and the API knows the user"""
    response = call(parts.api, _scene.tokens["access_token"], 200)
    expect("user", response.json()["user"], application.claims(_scene.tokens["id_token"])["sub"])
    return f"GET /orders: {response.text}"


def userinfo(parts: Demo) -> str:
    """The application asks who the user is"""
    response = httpx2.get(f"{parts.issuer}/userinfo", headers=bearer(_scene.tokens["access_token"]))
    expect("status", response.status_code, 200)
    expect("name", response.json()["name"], "Ada Lovelace")
    return f"GET /userinfo: {json.dumps(response.json())}"


def refresh(_: Demo) -> str:
    """It refreshes; its answer is lost, it asks again and gets the same successor"""
    app, used = _scene.app, _scene.tokens["refresh_token"]
    lost, again = app.refresh(used), app.refresh(used)
    expect("the same refresh token", again["refresh_token"] == lost["refresh_token"], True)
    expect("a new access token", again["access_token"] != lost["access_token"], True)
    expect("rotated", again["refresh_token"] != used, True)
    _scene.tokens.update(again)
    return f"...{used[-6:]} -> ...{again['refresh_token'][-6:]} both times, and another access token each time"


def refused_old_sign_in(parts: Demo) -> str:
    """The API refuses what needs a fresh sign-in: the user's is too old"""
    # The age counts from the sign-in: a refresh makes no fresh one.
    signed_in_at = application.claims(_scene.tokens["access_token"])["auth_time"]
    time.sleep(max(0.0, signed_in_at + FRESH_SIGN_IN + 0.5 - time.time()))
    told = reason(call(parts.api, _scene.tokens["access_token"], 401, method="DELETE"), 401)
    expect("challenge", 'error="insufficient_user_authentication"' in told and f'"{FRESH_SIGN_IN}"' in told, True)
    return told


def step_up(parts: Demo) -> str:
    """The application has the user sign in again, as the challenge says (max_age), and is admitted"""
    app = _scene.app
    url = app.authorize_url(max_age=FRESH_SIGN_IN)
    arrived, sent = application.sign_in(_scene.browser, url, USERNAME, _scene.password)
    expect("the password was asked for", sent[0], "sign-in-form")
    _scene.tokens = app.redeem(arrived)
    call(parts.api, _scene.tokens["access_token"], 204, method="DELETE")
    return "DELETE /orders: 204"


def sign_out(parts: Demo) -> str:
    """The user signs out: the tokens of the session end with it, and nothing can be refreshed"""
    app = _scene.app
    expect("active before", parts.is_active("orders-api", _scene.tokens["access_token"]), True)
    arrived = _scene.browser.open(app.logout_url(_scene.tokens["id_token"]))
    expect("where it leads", arrived, GOODBYE)
    expect("active after", parts.is_active("orders-api", _scene.tokens["access_token"]), False)
    told = error_of(app.try_refresh(_scene.tokens["refresh_token"]))
    if "invalid_grant" not in told:
        raise StepFailed(told)
    return f'introspection: {{"active": false}}; refresh: {told}'


USER_STEPS = (
    make_user,
    register_application,
    sign_in,
    call_for_user,
    userinfo,
    refresh,
    refused_old_sign_in,
    step_up,
    sign_out,
)
