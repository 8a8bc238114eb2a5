"""Under ``ostiary dev`` each mail is a file in a folder, to be opened with any mail program."""

from __future__ import annotations

import asyncio
from email.message import EmailMessage
from pathlib import Path

from ostiary.errors import ConfigurationError, Unavailable
from ostiary.secret_files import write_secret_file


class Outbox:
    """Writes ``<date>-<delivery>.eml`` into ``folder``, which its owner alone can read: links are in these mails."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: EmailMessage, sender: str, to: str) -> None:
        """Returns when the file is there; a repetition makes no other one. Raises Unavailable."""
        await asyncio.to_thread(self._write, message)

    def _write(self, message: EmailMessage) -> None:
        moment = message["Date"].datetime.strftime("%Y%m%dT%H%M%SZ")
        delivery_id = message["Message-ID"].strip("<>").partition("@")[0]
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # By the delivery: its repetition has another date.
            if not any(self._folder.glob(f"*-{delivery_id}.eml")):
                write_secret_file(self._folder / f"{moment}-{delivery_id}.eml", message.as_bytes())
        except OSError as error:
            raise Unavailable("e-mail", f"{self._folder}: {error.strerror}") from None
        except ConfigurationError as error:
            raise Unavailable("e-mail", str(error)) from None
