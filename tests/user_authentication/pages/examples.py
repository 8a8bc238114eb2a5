"""What each template is given, once as people would see it; by it every page is rendered, looked at and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ostiary.model.session import Session
from ostiary.model.user import User
from ostiary.user_authentication.pages.scope_groups import ScopeGroup, ShownScope


@dataclass(frozen=True)
class Enrolment:
    """As made for an authenticator application."""

    key: str
    uri: str
    sealed: str


AT = 1_795_600_000
SITE = "https://auth.example.com"
PEOPLE = (
    User("usr_1", "ada", "ada", "active", "ada@example.com", True, {"name": "Ada Byron"}, AT, AT),
    User("usr_2", "grace", "grace", "active", "", False, {}, AT, AT),
)
ENROLMENT = Enrolment(
    "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "otpauth://totp/Ostiary:ada?secret=JBSWY3DPEHPK3PXP&issuer=Ostiary", "sealed"
)
QR = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='90' height='90'/%3E"
ADA = {"name": "Ada Byron", "detail": "ada@example.com"}
GRACE = {"name": "Grace Hopper", "detail": "grace@example.com"}
ABOUT_YOU = ScopeGroup("", "", (ShownScope("openid", ""), ShownScope("profile", ""), ShownScope("email", "")))
ORDERS = ScopeGroup(
    "https://orders.example.com",
    "Orders",
    (ShownScope("orders:read", "See your orders"), ShownScope("orders:write", "Place orders for you")),
)


def session(user: User) -> Session:
    return Session("ses_" + user.user_id, b"", b"", user.user_id, ("pwd",), "", AT, AT, AT, AT + 60, AT + 3600)


def examples() -> dict[str, dict[str, Any]]:
    """Name of a template, and where there are several of one a number after a colon, to its context."""
    return _signing_in() | _allowing() | _leaving() | _own_account()


def _signing_in() -> dict[str, dict[str, Any]]:
    upstreams = [{"id": "works", "name": "Example Works", "url": f"{SITE}/upstream/works/start"}]
    return {
        "sign-in": {
            "application": "Orders on the Web",
            "action": f"{SITE}/sign-in?interaction=x",
            "reset": True,
        },
        "sign-in:refused": {"username": "ada", "problem": "credentials", "reset": True},
        "sign-in:everything": {
            "application": "Orders on the Web",
            "passkey_options": f"{SITE}/sign-in/passkey-options?interaction=x",
            "upstreams": upstreams,
            "reset": True,
        },
        "second-factor": {
            "username": "ada",
            "kinds": ["password", "recovery_code", "totp"],
            "enrolment": None,
            "action": f"{SITE}/sign-in/second-factor?interaction=sealed",
        },
        "second-factor:recovery": {
            "username": "ada",
            "kinds": ["password", "recovery_code"],
            "problem": "throttled",
            "minutes": 3,
        },
        "second-factor:passkey": {
            "username": "ada",
            "kinds": ["passkey"],
            "passkey_options": f"{SITE}/sign-in/passkey-options?interaction=x",
        },
        "second-factor:enrolment": {
            "username": "ada",
            "kinds": ["password"],
            "enrolment": ENROLMENT,
            "qr": QR,
            "problem": "code",
        },
        "accounts": {
            "application": "Orders on the Web",
            "accounts": [ADA | {"session_id": "ses_1"}, GRACE | {"session_id": "ses_2"}],
            "other_url": f"{SITE}/sign-in?interaction=sealed",
        },
        "reset-request": {"email": "ada@example.com"},
        "reset": {"min_length": 10, "token": "secret", "problem": "password"},
    }


def _allowing() -> dict[str, dict[str, Any]]:
    application = {"name": "Photo Printer", "host": "printer.example.com", "verified": True}
    return {
        "consent": {
            "application": application,
            "account": ADA,
            "groups": [ABOUT_YOU, ORDERS],
            "switch_url": f"{SITE}/accounts?interaction=sealed",
        },
        "consent:unverified": {
            "application": application | {"verified": False},
            "account": ADA,
            "groups": [ORDERS],
            "before": True,
        },
        "form-post": {"action": "https://printer.example.com/back", "fields": {"code": "abc", "state": "xyz"}},
    }


def _leaving() -> dict[str, dict[str, Any]]:
    return {
        "sign-out": {"application": "Orders on the Web", "fields": {"state": "xyz"}, "action": f"{SITE}/logout"},
        "sign-out:several": {"accounts": [(session(one), one) for one in PEOPLE], "action": f"{SITE}/sign-out"},
        "sign-out:nobody": {"accounts": []},
        "signed-out": {"application": "Orders on the Web", "home_uri": "https://shop.example.com/"},
        "message": {"about": "reset_sent", "next_url": f"{SITE}/sign-in"},
        "error": {
            "kind": "refused",
            "message": "The redirect URI is not registered for this application.",
            "mend": "Tell those who run the application.",
            "trace": "tr_4f8a1c2b9d3e7f60",
        },
        "error:expired": {"kind": "expired", "message": ""},
        "error:unavailable": {"kind": "unavailable"},
        "error:fault": {"kind": "fault"},
    }


def _own_account() -> dict[str, dict[str, Any]]:
    back = {"back_url": f"{SITE}/account"}
    return {
        "onward": {"name": "Example Works", "url": "https://works.example/auth?x=y"},
        "email-change": {"email": "ada@example.com", "problem": "email", **back},
        "verify-email": {"email": "ada@example.com", "username": "ada", "token": "ost_el_x"},
        "account": _account(),
        "account:bare": _account() | _bare(),
        "passkeys": _passkeys() | back,
        "passkeys:none": _passkeys() | back | {"passkeys": [], "problem": "passkey_not_added"},
        "password-change": {"min_length": 10, "has_password": True, "username": "ada", "problem": "", **back},
        "totp-enrol": {"enrolment": ENROLMENT, "qr": QR, "name_max": 60, "problem": "code", **back},
        "recovery-codes": {
            "codes": ["h4kq-9dtm-2xwn", "p7rc-3fjz-8vby", "m2ns-6gqd-4hke", "t9wx-5cbr-7jpf"],
            "sealed": "sealed",
            "replaces": True,
            **back,
        },
    }


def _passkeys() -> dict[str, Any]:
    return {
        "passkeys": [
            _factor("fac_2", "passkey", "Ada's phone", removable=True),
            _factor("fac_4", "passkey", "", removable=True),
        ],
        "name_max": 60,
        "options_url": f"{SITE}/account/passkeys/options?account=ses_1",
        "name_url": f"{SITE}/account/passkeys/name?account=ses_1",
        "problem": "",
    }


def _account() -> dict[str, Any]:
    return {
        "account": ADA,
        "session_id": "ses_1",
        "sessions": [
            _session("ses_1", "Firefox on Linux", current=True),
            _session("ses_3", "Safari on iPhone", current=False),
        ],
        "factors": [
            _factor("fac_1", "password", "", removable=False),
            _factor("fac_2", "passkey", "Ada's phone", removable=True),
            _factor("fac_3", "totp", "", removable=True),
        ],
        "recovery_codes": 8,
        "applications": [
            {
                "client_id": "printer",
                "name": "Photo Printer",
                "host": "printer.example.com",
                "groups": [ABOUT_YOU, ORDERS],
                "since": AT,
            }
        ],
        "done": "password_changed",
        "offer_ending": True,
        "others": [GRACE | {"url": f"{SITE}/account?account=ses_2"}],
        "can_enrol": ["passkey", "totp", "recovery_codes", "password"],
        "problem": "last_factor",
        "can_change_email": True,
        "upstreams": [{"id": "works", "name": "Example Works"}],
        "email": "ada@example.com",
        "email_verified": False,
    }


def _bare() -> dict[str, Any]:
    bare = _session("ses_1", "", current=True) | {"address": ""}
    return {
        "sessions": [bare],
        "factors": [],
        "recovery_codes": 0,
        "applications": [],
        "done": "",
        "offer_ending": False,
        "others": [],
        "can_enrol": ["recovery_codes"],
        "problem": "",
    }


def _session(session_id: str, device: str, *, current: bool) -> dict[str, Any]:
    return {
        "session_id": session_id,
        "device": device,
        "current": current,
        "last_seen_at": AT,
        "created_at": AT - 86_400,
        "address": "192.0.2.7",
    }


def _factor(factor_id: str, kind: str, name: str, *, removable: bool) -> dict[str, Any]:
    return {
        "factor_id": factor_id,
        "kind": kind,
        "name": name,
        "created_at": AT - 2 * 86_400,
        "last_used_at": AT,
        "removable": removable,
    }
