"""Hands a message to the mail server: RFC 5321, STARTTLS (RFC 3207), implicit TLS (RFC 8314), AUTH (RFC 4954)."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from email.message import EmailMessage

from ostiary.authorization_server.deliverer import Undeliverable
from ostiary.errors import ConfigurationError, Unavailable
from ostiary.secret_files import read_secret_file
from ostiary.settings.email import EmailSettings

TIMEOUT = 10.0
"""Seconds for each answer of the mail server."""

AT_ONCE = 4
"""Connections: a mail server that hangs holds so many threads and no more."""

# 530, 534, 535 and 538 (RFC 4954 section 6) are about us and not about the message: the operator can mend them.
_ABOUT_AUTHENTICATION = frozenset((530, 534, 535, 538))
_PART = "e-mail"


class Smtp:
    """Sends by the mail server of ``settings``, in threads. The certificate must be good for the name of the host."""

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def send(self, message: EmailMessage, sender: str, to: str) -> None:
        """Returns when the mail server has taken the message.

        Raises Undeliverable: it refuses this recipient or message for good (5yz, RFC 5321 4.2.1); Unavailable: not now.
        """
        async with self._slots:
            await asyncio.to_thread(self._send, message, sender, to)

    def _send(self, message: EmailMessage, sender: str, to: str) -> None:
        try:
            connection = self._connected()
        except (OSError, smtplib.SMTPException, ConfigurationError) as error:
            raise Unavailable(_PART, self._told(error)) from None
        try:
            connection.send_message(message, sender, [to])
        except smtplib.SMTPRecipientsRefused as error:
            raise _refused(next(iter(error.recipients.values()))[0]) from None
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise _refused(error.smtp_code) from None
        except smtplib.SMTPNotSupportedError:
            raise Undeliverable("the mail server takes no international addresses (SMTPUTF8)") from None
        except OSError as error:
            raise Unavailable(_PART, self._told(error)) from None
        finally:
            # Not by QUIT: once the message is taken, no answer may make it be sent again.
            connection.close()

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.security == "tls":
            context = self._tls()
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.smtp_host, settings.port, timeout=TIMEOUT, context=context
            )
        else:
            connection = smtplib.SMTP(settings.smtp_host, settings.port, timeout=TIMEOUT)
        try:
            if settings.security == "starttls":
                # Raises where it is not offered: a server, or somebody on the way, cannot talk us out of it.
                connection.starttls(context=self._tls())
            if settings.username:
                self._log_in(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _log_in(self, connection: smtplib.SMTP) -> None:
        try:
            connection.login(self._settings.username, self._password())
        except smtplib.SMTPServerDisconnected:
            # Some hang up on a wrong password instead of saying so.
            raise smtplib.SMTPAuthenticationError(535, b"") from None

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._settings.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # BCP 195
        return context

    def _password(self) -> str:
        """Read anew each time, so that a changed file counts at once."""
        if self._settings.password is not None:
            return self._settings.password.get_secret_value()
        if self._settings.password_file is None:
            raise ConfigurationError("email.password is missing: set email.password_file.")
        return read_secret_file(self._settings.password_file).decode("utf-8").strip()

    def _told(self, error: Exception) -> str:
        """What went wrong and the mend, without anything that the mail server repeats of the message."""
        where = f"{self._settings.smtp_host}:{self._settings.port}"
        if isinstance(error, ConfigurationError):
            return str(error)
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"{where}: {error.verify_message}; set email.smtp_host to the name in its certificate, or ca_file"
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return f"{where} refuses our password ({error.smtp_code}): check email.username and email.password_file"
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return f"{where} does not offer what email.security or email.username asks for (STARTTLS, AUTH)"
        if isinstance(error, smtplib.SMTPResponseException):
            return f"{where} answered {error.smtp_code}"
        cause = (error.strerror if isinstance(error, OSError) else None) or ""
        return f"{where}: {type(error).__name__} {cause}".rstrip()


def _refused(code: int) -> Exception:
    if code in _ABOUT_AUTHENTICATION:
        return Unavailable(_PART, f"the mail server wants us to authenticate ({code}): set email.username")
    if 500 <= code < 600:
        return Undeliverable(f"the mail server refused it for good ({code})")
    return Unavailable(_PART, f"the mail server answered {code}")
