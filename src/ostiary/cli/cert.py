"""``ostiary cert``: request and renew this machine's certificate; for operators: issue, enrol, list, show, revoke."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostiary.cli.durations import seconds
from ostiary.cli.operator_half import add_operator_commands
from ostiary.cli.output import Format, FormatOption, next_step, note, show
from ostiary.client import certificate_request
from ostiary.client.certificate_agent import RenewalAgent, command
from ostiary.client.certificate_file import CertificateFile
from ostiary.client.certificate_request import IssuedCertificate
from ostiary.client.credential_file import load_client_credential
from ostiary.errors import ConfigurationError
from ostiary.secret_files import read_secret_file

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Certificates of the private CA.")

add_operator_commands(app, "ostiary.cli.cert_operator", ("issue", "enrol", "list", "show", "revoke"))

KeyFile = Annotated[Path | None, typer.Option("--key-file", help="The key once more, in a file of its own.")]
CertificateOut = Annotated[
    Path | None, typer.Option("--certificate-file", help="Certificate and issuers once more, in a file of their own.")
]
RootsFile = Annotated[
    Path | None,
    typer.Option(
        "--roots-file", help="What to trust: the CA is reached by it, and it is renewed with the certificate."
    ),
]
KeyKind = Annotated[str, typer.Option("--key", help="The kind of the new key: p256, p384, ed25519, rsa3072.")]


@app.command("request")
def request(
    out: Annotated[Path, typer.Option("--out", help="The new file with key and certificate (mode 0600).")],
    client_file: Annotated[
        Path | None, typer.Option("--client-file", help="The client's credential file: get the client's certificate.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="The file with the enrolment token that an operator made.")
    ] = None,
    issuer: Annotated[str | None, typer.Option("--issuer", help="With --token-file: whom to ask.")] = None,
    key_file: KeyFile = None,
    certificate_file: CertificateOut = None,
    roots_file: RootsFile = None,
    key: KeyKind = "p256",
    life: Annotated[
        int | None, typer.Option("--life", parser=seconds, metavar="SPAN", help="Such as 24h (default: the server's).")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of what is in --out, such as a revoked one.")
    ] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Make a key and get a certificate for it: as a client by its credential, or by an enrolment token."""
    if (client_file is None) == (token_file is None):
        raise ConfigurationError("give either --client-file FILE, a client's credential, or --token-file FILE")
    if out.exists() and not replace:
        raise ConfigurationError(
            f"The file {out} exists already and is not overwritten: ostiary cert renew {out} while it is good, "
            "else --replace"
        )
    if life is not None and client_file is None:
        raise ConfigurationError("--life goes with --client-file: with a token the operator has said it")
    made_key = certificate_request.new_key(key)
    files = CertificateFile(out, key_file, certificate_file, roots_file)
    files.check_writable()  # else a token would be spent on a certificate that nobody has
    if client_file is not None:
        credential = load_client_credential(client_file)
        made = files.shell().run(certificate_request.request_as_client(credential, made_key, life=life))
    else:
        if token_file is None or issuer is None:
            raise ConfigurationError("--token-file needs --issuer, such as https://auth.example.com")
        token = read_secret_file(token_file).decode("ascii", "replace").strip()
        made = files.shell().run(certificate_request.request_by_token(issuer, token, made_key))
    files.save(made)
    _tell(made, out, output)
    next_step(f"keep it good: ostiary cert renew {out} --daemon")


@app.command("renew")
def renew(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file with key and certificate.")],
    daemon: Annotated[
        bool, typer.Option("--daemon", help="Stay, and renew at two thirds of each certificate's life.")
    ] = False,
    reload: Annotated[
        str, typer.Option("--reload", help='Run after each renewal, without a shell: "systemctl reload nginx".')
    ] = "",
    if_due: Annotated[
        bool, typer.Option("--if-due", help="Only at two thirds of its life or later: for cron or a systemd timer.")
    ] = False,
    key_file: KeyFile = None,
    certificate_file: CertificateOut = None,
    roots_file: RootsFile = None,
    key: KeyKind = "p256",
    output: FormatOption = Format.TABLE,
) -> None:
    """Get the next certificate by the present one, with a new key, and replace the files in one step.

    The copies in files of their own are those that `cert request` was told, unless others are named here. The next
    certificate lives as long as the present one was given.
    """
    files = CertificateFile(file, key_file, certificate_file, roots_file).with_its_copies()
    agent = RenewalAgent(files, command(reload), key, tell=note)
    if if_due and not daemon:
        agent.mend()
        if not agent.is_due():
            _tell(files.load(), file, output)
            next_step("nothing now: it is not two thirds through its life")
            return
    if daemon:
        note(f"renewing {file} at two thirds of its life; stop by Ctrl-C")
        try:
            agent.run()
        except KeyboardInterrupt:
            return
    _tell(agent.renew(), file, output)
    next_step(f"let it renew by itself: ostiary cert renew {file} --daemon")


def _tell(made: IssuedCertificate, file: Path, output: Format) -> None:
    leaf = made.leaf
    row = {
        "file": str(file),
        "serial": f"{leaf.serial_number:x}",
        "thumbprint": made.thumbprint,
        "not_after": f"{leaf.not_valid_after_utc:%Y-%m-%d %H:%M:%S}Z",
    }
    show(row, output)
