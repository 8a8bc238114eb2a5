"""Forms, strictly: ``application/x-www-form-urlencoded`` (WHATWG URL 5) as RFC 6749 3.2 and appendix B narrow it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NoReturn
from urllib.parse import unquote_to_bytes

from ostiary.errors import OAuthError

MAX_FIELDS = 64
_CACHED_VALUES = 1024
_CACHED_LENGTH = 256
_PRINTABLE = bytes(range(0x20, 0x7F))
# A percent sign without its two digits, or one that stands for a control character.
_BAD_ESCAPE = re.compile(r"%(?![2-689A-Fa-f][0-9A-Fa-f]|7[0-9A-Ea-e])")


def parse(
    body: bytes, *, resources: list[str] | None = None, repeated: Mapping[str, list[str]] | None = None
) -> dict[str, str]:
    """The parameters in ``body``, those without a value left out.

    resources: takes every ``resource``, which then may be repeated (RFC 8707 section 2), instead of the answer.
    repeated: the same for parameters of other names.

    Raises OAuthError("invalid_request"; for a repeated ``resource`` "invalid_target") and nothing else.
    """
    if not body.isascii():
        refuse("the form holds an octet that is not ASCII", "percent-encoded UTF-8")
    text = body.decode("ascii")
    escaped = "%" in text
    # What is left when all that is printable is taken away is not; to ask the text takes four times as long.
    if (escaped and _BAD_ESCAPE.search(text)) or body.translate(None, _PRINTABLE):
        refuse("a control character, or a percent sign without two hexadecimal digits", "percent-encoded UTF-8")
    if text.count("&") >= MAX_FIELDS:
        refuse(f"more than {MAX_FIELDS} fields", f"at most {MAX_FIELDS} fields")
    lists = dict(repeated or {}) if resources is None else {**(repeated or {}), "resource": resources}
    return _parameters(text, escaped or "+" in text, lists)


def decoded(text: str) -> str:
    """One form-encoded name or value, decoded. Raises OAuthError("invalid_request")."""
    if not (text.isascii() and text.isprintable()) or _BAD_ESCAPE.search(text):
        refuse("a control character, or a percent sign without two hexadecimal digits", "percent-encoded UTF-8")
    return _decoded(text)


def _parameters(text: str, escaped: bool, lists: Mapping[str, list[str]]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for field in text.split("&"):
        name, _, value = field.partition("=")
        if escaped and ("%" in field or "+" in field):
            name, value = _decoded(name), _decoded(value)
        if name in lists:
            lists[name].extend([value] if value else [])
            continue
        if name in parameters and field:
            _refuse_repetition(name)
        parameters[name] = value
    # "Parameters sent without a value MUST be treated as if they were omitted from the request." RFC 6749 3.2
    return {name: value for name, value in parameters.items() if value}


def _decoded(text: str) -> str:
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    return _unescaped_again(text) if len(text) <= _CACHED_LENGTH else _unescaped(text)


def _unescaped(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        refuse("percent-encoded octets that are not UTF-8", "percent-encoded UTF-8")


# The same few values come with every request: the type of the assertion, the resource.
_unescaped_again = lru_cache(_CACHED_VALUES)(_unescaped)


def _refuse_repetition(name: str) -> NoReturn:
    # "Request and response parameters MUST NOT be included more than once." RFC 6749 3.2; RFC 8707 2 makes an
    # exception of resource, which we answer with its own code: a token of ours is for one API.
    code = "invalid_target" if name == "resource" else "invalid_request"
    public = "only one resource can be asked for at a time" if name == "resource" else "a parameter is repeated"
    raise OAuthError(code, public, check="form", seen=f"{name} twice", expected="each parameter once")


def refuse(seen: str, expected: str) -> NoReturn:
    """Raise the refusal of a form that is not one."""
    raise OAuthError("invalid_request", "malformed form", check="form", seen=seen, expected=expected)
