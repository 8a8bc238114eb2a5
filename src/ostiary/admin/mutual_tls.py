"""The registration of clients that prove themselves by certificate, or whose tokens are bound to one: RFC 8705."""

from __future__ import annotations

from dataclasses import replace

from ostiary.admin.commands import ClientChanges, NewClient
from ostiary.errors import ConfigurationError
from ostiary.model.client import Client
from ostiary.model.mutual_tls import MutualTls, checked_mutual_tls


def new_mutual_tls(command: NewClient) -> MutualTls:
    """The record of what was registered. Raises ConfigurationError."""
    subject = command.certificate_subject
    kind, value = (None, "") if subject is None else (subject.kind, subject.value)
    return _checked(MutualTls(kind, value, command.bound_tokens), command.authentication_method)


def changed_mutual_tls(before: Client, client: Client, changes: ClientChanges) -> MutualTls:
    """What ``client`` has after ``changes``; its subject ends with its method. Raises ConfigurationError."""
    found = client.mutual_tls
    if client.authentication_method != before.authentication_method:
        found = replace(found, subject_kind=None, subject_value="")
    if changes.bound_tokens is not None:
        found = replace(found, bound_tokens=changes.bound_tokens)
    if changes.certificate_subject is not None:
        subject = changes.certificate_subject
        found = replace(found, subject_kind=subject.kind, subject_value=subject.value)
    return _checked(found, client.authentication_method)


def _checked(registered: MutualTls, method: str) -> MutualTls:
    try:
        return checked_mutual_tls(registered, method)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
