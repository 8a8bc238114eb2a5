"""Passwords for commands: from a file, standard input or the terminal, never from the arguments that others can see."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from ostiary.errors import ConfigurationError

MAX_BYTES = 4096


def read_password(path: Path | None) -> str:
    """The password in the file ``path``, ``-`` for standard input; None asks on the terminal, if there is one.

    One end of line after it does not count. Raises ConfigurationError: it cannot be read, is empty or no text.
    """
    if path is None and sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    try:
        if path is None or str(path) == "-":
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise ConfigurationError(f"the password file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError("the password is no UTF-8 text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or len(content) > MAX_BYTES:
        raise ConfigurationError("the password is empty or endless: give a file or standard input that holds it alone")
    if "\n" in text:
        raise ConfigurationError("there is more than one line: the password must stand there alone")
    return text
