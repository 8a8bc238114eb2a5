"""A client secret that the installation makes: told once, it goes into its file and nowhere else.

The file is made first, empty and with mode 0600: so no secret is made that cannot be kept, and none is printed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ostiary.cli.administration import Administration, Row
from ostiary.cli.output import note
from ostiary.errors import ConfigurationError, OAuthError
from ostiary.protocol.secret_credential import SecretCredential
from ostiary.secret_files import fill_secret_file, write_secret_file


async def with_secret_file(
    path: Path, administration: Administration, client_id: str, make: Callable[[], Awaitable[Row]]
) -> Row:
    """What ``make`` answers, its secret in the new file ``path`` instead. Raises what ``make`` raises.

    ConfigurationError as well: the secret was made, but the file can no longer be written; then it stays as it is.
    """
    write_secret_file(path, b"")
    try:
        answer: dict[str, Any] = dict(await make())
    except (ConfigurationError, OAuthError):
        _remove(path)
        raise
    except BaseException:
        _remove(path)
        note(f"If client {client_id} is there now, give it another secret: ostiary client secret {client_id}")
        raise
    try:
        secret, method = str(answer.pop("client_secret")), str(answer["authentication_method"])
        fill_secret_file(path, SecretCredential(administration.issuer, client_id, method, secret).to_json())
    except BaseException:
        note(f"{path} does not hold the secret that client {client_id} has now: ostiary client secret {client_id}")
        raise
    return answer


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
