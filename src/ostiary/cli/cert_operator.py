"""``ostiary cert`` for operators: issue, enrol, list, show, revoke."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostiary.admin.certificate_commands import CertificateEnd, NewCertificate, NewEnrolment
from ostiary.cli.administration import Administration, Row
from ostiary.cli.durations import seconds
from ostiary.cli.generated import key_from_file
from ostiary.cli.operator import Where, operator_command
from ostiary.cli.output import Format, next_step, note, show
from ostiary.cli.typed import one_sentence, with_dates
from ostiary.client import certificate_request
from ostiary.client.certificate_file import CertificateFile, replace_public_file
from ostiary.client.certificate_request import IssuedCertificate
from ostiary.errors import ConfigurationError
from ostiary.secret_files import fill_secret_file, write_secret_file

app = typer.Typer(no_args_is_help=True, add_completion=False)

_COLUMNS = ("serial", "state", "profile", "owner", "identities", "not_after", "last_seen_at")

Profile = Annotated[str, typer.Option("--profile", help="server, client or workload.")]
Dns = Annotated[list[str] | None, typer.Option("--dns", help="A host name.")]
Ip = Annotated[list[str] | None, typer.Option("--ip", help="An IP address.")]
Uri = Annotated[list[str] | None, typer.Option("--uri", help="A URI, such as spiffe://example.com/orders.")]
ClientOption = Annotated[str | None, typer.Option("--client", help="The client whose certificate it is.")]
Owner = Annotated[str, typer.Option("--owner", help="Who answers for it: a person or a team.")]
Life = Annotated[
    int | None, typer.Option("--life", parser=seconds, metavar="SPAN", help="Such as 24h (default: the profile's).")
]
Serial = Annotated[str, typer.Argument(metavar="SERIAL", help="Its serial number, as `cert list` shows it.")]


@app.command("issue")
@operator_command
def issue(
    where: Where,
    profile: Profile,
    dns: Dns = None,
    ip: Ip = None,
    uri: Uri = None,
    client: ClientOption = None,
    owner: Owner = "",
    life: Life = None,
    csr: Annotated[Path | None, typer.Option("--csr", help="A certificate request, PEM; its key is certified.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="With --csr: where to write the certificate.")] = None,
    generate: Annotated[
        Path | None, typer.Option("--generate", help="Make a key, and write it and the certificate into this file.")
    ] = None,
    key: Annotated[str, typer.Option("--key", help="With --generate: p256, p384, ed25519, rsa3072.")] = "p256",
) -> None:
    """Issue a certificate on your own word."""
    if (csr is None) == (generate is None) or (csr is None) != (out is None):
        raise ConfigurationError("give either --csr FILE with --out FILE, or --generate FILE")
    if generate is not None and generate.exists():
        raise ConfigurationError(f"The file {generate} exists already and is not overwritten: name another.")
    CertificateFile(generate or out or Path()).check_writable()
    made_key = certificate_request.new_key(key) if generate is not None else None
    text = (
        certificate_request.signing_request(made_key).decode("ascii")
        if made_key is not None
        else key_from_file(csr or Path())
    )
    with one_sentence():
        command = NewCertificate.model_validate(
            {"profile": profile, "csr": text, "names": _names(dns, ip, uri)}
            | {"client_id": client, "owner": owner, "life": life}
        )

    async def act(administration: Administration) -> tuple[Row, str]:
        return await administration.certificates.issue(command), administration.issuer

    row, issuer = where.run(act)
    if generate is not None and made_key is not None:
        CertificateFile(generate).save(IssuedCertificate(issuer, made_key, str(row["chain"]), ""))
    else:
        replace_public_file(out or Path(), str(row["chain"]).encode("ascii"))
    _tell(row, where.output)
    next_step(f"ostiary cert renew {generate} --daemon" if generate else f"openssl x509 -in {out} -noout -text")


@app.command("enrol")
@operator_command
def enrol(
    where: Where,
    profile: Profile,
    token_file: Annotated[Path, typer.Option("--token-file", help="The new file for the token, with mode 0600.")],
    dns: Dns = None,
    ip: Ip = None,
    uri: Uri = None,
    client: ClientOption = None,
    owner: Owner = "",
    life: Life = None,
    valid_for: Annotated[
        int, typer.Option("--valid-for", parser=seconds, metavar="SPAN", help="Within which it must be used.")
    ] = seconds("1h"),
) -> None:
    """Make a token by which a machine gets one certificate, once."""
    with one_sentence():
        command = NewEnrolment.model_validate(
            {"profile": profile, "names": _names(dns, ip, uri), "client_id": client}
            | {"owner": owner, "life": life, "valid_for": valid_for}
        )

    async def act(administration: Administration) -> tuple[Row, str]:
        return await administration.certificates.enrol(command), administration.issuer

    write_secret_file(token_file, b"")
    try:
        row, issuer = where.run(act)
        fill_secret_file(token_file, str(row["token"]).encode("ascii") + b"\n")
    except BaseException:
        token_file.unlink(missing_ok=True)
        raise
    told = {name: value for name, value in row.items() if name != "token"} | {"token_file": str(token_file)}
    show(told, where.output)
    note("A machine that does not trust this CA yet: ostiary ca trust, as `ostiary ca show` tells it.")
    next_step(
        f"bring {token_file} to the machine, then there: "
        f"ostiary cert request --issuer {issuer} --token-file {token_file.name} --out FILE"
    )


@app.command("list")
@operator_command
def list_certificates(
    where: Where,
    everything: Annotated[bool, typer.Option("--all", help="Those that are expired or revoked, too.")] = False,
    client: Annotated[str | None, typer.Option("--client", help="Those of this client.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Those of this owner.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Those for a name that holds this text.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Look at so many, the newest.")] = 200,
) -> None:
    """List the certificates that were issued: whose, for what, until when, when last seen."""
    rows = where.run(lambda administration: administration.certificates.latest(before=None, limit=limit))
    chosen = [
        row
        for row in rows
        if (everything or row["state"] == "valid")
        and client in (None, row["client_id"])
        and owner in (None, row["owner"])
        and any((name or "") in one for one in row["identities"])
    ]
    _show(chosen, where.output)
    if len(rows) == limit:
        note(f"Only the newest {limit} were looked at: --limit tells of more.")
    next_step("ostiary cert show SERIAL, or revoke it if its key leaked")


@app.command("show")
@operator_command
def show_certificate(where: Where, serial: Serial) -> None:
    """Show one certificate."""
    row = where.run(lambda administration: administration.certificates.show(serial))
    _tell(row, where.output)
    next_step(f"ostiary cert revoke {serial} --reason keyCompromise, if its key leaked")


@app.command("revoke")
@operator_command
def revoke(
    where: Where,
    serial: Serial,
    reason: Annotated[
        str, typer.Option("--reason", help="As RFC 5280 names it, such as keyCompromise.")
    ] = "unspecified",
    with_client: Annotated[bool, typer.Option("--with-client", help="Disable its client, too.")] = False,
) -> None:
    """Revoke a certificate for good, with the tokens that it obtained."""
    with one_sentence():
        command = CertificateEnd.model_validate({"reason": reason, "with_client": with_client})
    row = where.run(lambda administration: administration.certificates.revoke(serial, command))
    _tell(row, where.output)
    next_step("OCSP says so from now on, the revocation list within seconds")


def _names(dns: list[str] | None, ip: list[str] | None, uri: list[str] | None) -> list[str]:
    kinds = (("dns", dns), ("ip", ip), ("uri", uri))
    return [f"{kind}:{one}" for kind, given in kinds for one in given or ()]


def _tell(row: Row, output: Format) -> None:
    if output is Format.JSON:
        show(row, output)
        return
    hidden = ("certificate", "chain")
    show(with_dates({name: value for name, value in row.items() if name not in hidden}), output)


def _show(rows: list[Row], output: Format) -> None:
    show(rows if output is Format.JSON else [with_dates(row) for row in rows], output, columns=_COLUMNS)
