"""Settings of the e-mail that is sent to users."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from ostiary.settings.fields import FilePath, Port, Section, is_loopback

_PORTS = {"starttls": 587, "tls": 465, "none": 25}


class EmailSettings(Section):
    """``[email]``: without ``smtp_host`` no e-mail is sent, and a forgotten password cannot be reset.

    security: ``starttls`` (RFC 3207) and ``tls`` (RFC 8314) with a certificate that must verify; ``none`` for loopback
    alone. smtp_port: where not given 587, 465 or 25, by ``security``. username, password: for SMTP AUTH (RFC 4954); the
    password in a file that ``password_file`` names, or in the environment. ca_file: the certificates (PEM) that are
    trusted instead of the system's. outbox_dir: a folder that gets each mail as a file instead; ``ostiary dev`` alone.
    """

    smtp_host: str = ""
    smtp_port: Port = 0
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: SecretStr | None = None
    password_file: FilePath | None = None
    ca_file: FilePath | None = None
    from_address: str = Field(default="", max_length=254)
    outbox_dir: FilePath | None = None

    @property
    def is_set_up(self) -> bool:
        """Whether e-mail goes anywhere."""
        return bool(self.smtp_host) or self.outbox_dir is not None

    @property
    def port(self) -> int:
        """The port of the mail server."""
        return self.smtp_port or _PORTS[self.security]

    @field_validator("smtp_host", "username", "from_address")
    @classmethod
    def _is_one_line(cls, text: str) -> str:
        if not text.isprintable() or text != text.strip():
            raise ValueError("must be one line of visible characters")
        return text

    @field_validator("from_address")
    @classmethod
    def _is_an_address(cls, text: str) -> str:
        if text and (text.count("@") != 1 or not text.isascii() or any(sign in text for sign in ' ,;:<>()[]\\"')):
            raise ValueError("must be of the form name@host")
        return text

    @model_validator(mode="after")
    def _agree(self) -> EmailSettings:
        if self.is_set_up and not self.from_address:
            raise ValueError("from_address is missing: set the address that e-mail comes from")
        if self.smtp_host and self.outbox_dir is not None:
            raise ValueError("smtp_host and outbox_dir are both given: keep one")
        if self.password is not None and self.password_file is not None:
            raise ValueError("password and password_file are both given: keep one")
        if bool(self.username) != (self.password is not None or self.password_file is not None):
            raise ValueError("username and password go together: give both or neither")
        if self.smtp_host and self.security == "none" and not is_loopback(self.smtp_host):
            # The links in these mails open accounts, and the password would be readable on the way. ASVS 12.3.1.
            raise ValueError(
                'security is "none" and smtp_host is not loopback: use "starttls" or "tls", or a relay on localhost'
            )
        return self
