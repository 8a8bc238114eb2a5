"""What ``ostiary serve`` refuses because it is only fit for trying out, and what it warns of."""

from __future__ import annotations

from ostiary.errors import ConfigurationError
from ostiary.secret_files import read_secret_file
from ostiary.settings.sections import Settings


def serve_checks(settings: Settings) -> None:
    """Raises ConfigurationError for the first thing that does not belong into production."""
    if settings.dev:
        raise ConfigurationError("These are the settings of `ostiary dev`: write an ostiary.toml for `ostiary serve`.")
    if not settings.issuer.startswith("https://"):
        # RFC 8414 section 2: the issuer is "a URL that uses the 'https' scheme"
        raise ConfigurationError(
            f"The issuer {settings.issuer} is http, which is for `ostiary dev` only: use an https issuer, "
            "with a certificate or behind a proxy that ends TLS."
        )
    if settings.keys.key_encryption_key is None and settings.keys.key_encryption_key_file is None:
        raise ConfigurationError(
            "There is no key-encryption key: make one with `ostiary keys new-kek FILE` and name it by "
            "keys.key_encryption_key_file."
        )
    if settings.fetching.allow_http:
        raise ConfigurationError("fetching.allow_http is for `ostiary dev` only: have the clients publish by https.")
    if settings.email.outbox_dir is not None:
        raise ConfigurationError(
            "email.outbox_dir is for `ostiary dev` only, because links that open accounts would lie in its files: "
            "set email.smtp_host."
        )
    if settings.email.password_file is not None:
        read_secret_file(settings.email.password_file)
    for upstream in settings.upstream.values():
        signals_file = upstream.signals.push_secret_file if upstream.signals is not None else None
        for file in (upstream.client_secret_file, upstream.private_key_file, signals_file):
            if file is not None:
                read_secret_file(file)
    mtls_key = settings.mtls.tls_private_key_file if settings.mtls is not None else None
    for key in (settings.server.tls_private_key_file, mtls_key):
        if key is not None:
            read_secret_file(key)


def serve_warnings(settings: Settings) -> list[str]:
    """What ``ostiary serve`` starts with all the same, but not without a word: one sentence each, with the mend."""
    if settings.audit.heads_file is not None:
        return []
    return [
        "There is no audit.heads_file, so nobody can find out if the audit log is cut or restored from an older copy:"
        ' set it to a file on another disk than the database, such as heads_file = "/var/lib/ostiary-heads/heads.jsonl"'
        " below [audit], that whoever can write the database cannot rewrite, and copy it to another machine."
    ]
