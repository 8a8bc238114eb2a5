"""The command line ``ostiary NOUN VERB``: only the noun that is asked for is imported, and help imports none.

Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 wrong configuration, or an extra is missing; 4 unavailable.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from ostiary import __version__
from ostiary.errors import OstiaryError
from ostiary.extras import MissingExtra, missing_extra

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
CONFIGURATION: Final = 3
UNAVAILABLE: Final = 4


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun: where its commands are (a module with ``app``, a typer.Typer), one line for the help, what it needs."""

    module: str
    summary: str
    extra: str


NOUNS: Final[dict[str, Noun]] = {
    "dev": Noun("ostiary.cli.dev", "Try Ostiary out: a server with a demo API and a demo client", "server"),
    "serve": Noun("ostiary.cli.serve", "Run the server for production", "server"),
    "admin": Noun("ostiary.cli.admin", "Make the first administrator (bootstrap); begin a new epoch", "server"),
    "client": Noun("ostiary.cli.client", "Register, list, show, disable clients, and their keys", "server"),
    "user": Noun("ostiary.cli.user", "Make, list, show, disable, import users, and their factors", "server"),
    "session": Noun("ostiary.cli.session", "Where users are signed in: list, end", "server"),
    "consent": Noun("ostiary.cli.consent", "What users have allowed applications: list, revoke", "server"),
    "grant": Noun("ostiary.cli.grant", "What applications were given by users: list, revoke", "server"),
    "revoke": Noun(
        "ostiary.cli.revoke", "End a client, user, session, grant, token, key, certificate; see who knows", "server"
    ),
    "api": Noun("ostiary.cli.api", "Register, list, show, change, disable APIs", "server"),
    "signal": Noun(
        "ostiary.cli.signal", "Security events to other systems: allow, list, pause, resume, delete", "server"
    ),
    "keys": Noun("ostiary.cli.keys", "The installation's signing keys: list, rotate, rewrap", "server"),
    "ca": Noun("ostiary.cli.ca", "The private certificate authority: init, show, export, rotate, revoke, trust", "cli"),
    "cert": Noun("ostiary.cli.cert", "Certificates: request, renew; issue, list, show, revoke", "cli"),
    "acme": Noun("ostiary.cli.acme", "Certificates by ACME: who may ask for them", "server"),
    "audit": Noun("ostiary.cli.audit", "Read and verify the audit log", "server"),
    "backup": Noun("ostiary.cli.backup", "Write the data into one file, beside running servers", "server"),
    "restore": Noun("ostiary.cli.restore", "Fill an empty database from a backup", "server"),
    "migrate": Noun("ostiary.cli.migrate", "Copy a stopped installation from SQLite to PostgreSQL", "server"),
    "explain": Noun("ostiary.cli.explain", "Show each check behind a refusal, by its trace id", "server"),
    "token": Noun("ostiary.cli.token", "Get, inspect, revoke access tokens as a client; list them", "cli"),
    "key": Noun("ostiary.cli.key", "This client's own key: register the next one", "cli"),
    "login": Noun("ostiary.cli.login", "Sign a user in with the browser of this machine", "cli"),
    "curl": Noun("ostiary.cli.curl", "Call an API as a client, with a token or a signed request, or as a user", "cli"),
}

# What each extra brings; a module that is missing for another reason is a fault, not a missing extra.
_BROUGHT_BY_CLI = frozenset({"typer", "rich"})


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command in ``argv`` (default: the process's own) and leave with its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else "--help"
    if name in ("--help", "-h", "help"):
        sys.stdout.write(overview())
        sys.exit(OK)
    if name in ("--version", "-V"):
        sys.stdout.write(f"ostiary {__version__}\n")
        sys.exit(OK)
    noun = NOUNS.get(name)
    if noun is None:
        sys.stderr.write(_unknown(name))
        sys.exit(USAGE)
    _run(name, noun, arguments[1:])


def overview() -> str:
    """What ``ostiary --help`` prints."""
    width = max(map(len, NOUNS))
    lines = [f"  {name:<{width}}  {noun.summary}" for name, noun in NOUNS.items()]
    return "\n".join(
        [
            "Usage: ostiary NOUN [VERB] [OPTIONS]",
            "",
            "The doorkeeper for APIs: proves who calls an API and decides whether they may.",
            "",
            "Nouns:",
            *lines,
            "",
            "ostiary NOUN --help tells more; --format json is there wherever a person gets a table.",
            "Exit codes: 0 done, 1 refused or failed, 2 usage, 3 configuration, 4 unavailable.",
            "Next: ostiary dev",
            "",
        ]
    )


def _unknown(name: str) -> str:
    near = get_close_matches(name, NOUNS, n=1)
    hint = f" Did you mean: ostiary {near[0]}?" if near else ""
    return f"There is no command {name!r}.{hint} See: ostiary --help\n"


def _run(name: str, noun: Noun, arguments: list[str]) -> None:
    try:
        command = _command(noun)
    except MissingExtra as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(CONFIGURATION)
    try:
        command(arguments, f"ostiary {name}")
    except OstiaryError as error:
        from ostiary.cli.output import fail

        fail(error)
    except MissingExtra as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(CONFIGURATION)
    except BrokenPipeError:
        # Whoever read our output has closed it (``| head``): nobody is left to tell.
        sys.stderr.close()
        sys.exit(FAILED)


def _command(noun: Noun) -> Callable[[list[str], str], None]:
    try:
        import typer.main

        app = importlib.import_module(noun.module).app
    except ModuleNotFoundError as error:
        if error.name is None or isinstance(error, MissingExtra) or error.name.split(".")[0] == "ostiary":
            raise
        raise missing_extra("cli" if error.name.split(".")[0] in _BROUGHT_BY_CLI else noun.extra, error) from error
    command = typer.main.get_command(app)
    return lambda arguments, program: command(args=arguments, prog_name=program)
