"""``ostiary ca`` for operators: from init to next-root. The key of the root is in a file of theirs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.x509.oid import NameOID

from ostiary.certificate_authority import founding
from ostiary.certificate_authority.founding import Root
from ostiary.certificate_authority.name_constraints import checked, of_certificate
from ostiary.certificate_authority.root_files import read_root, write_root
from ostiary.cli import USAGE
from ostiary.cli.administration import Administration, Row
from ostiary.cli.administration_local import LocalAdministration
from ostiary.cli.operator import Where, operator_command
from ostiary.cli.output import Format, fail, next_step, note, show
from ostiary.cli.typed import with_dates
from ostiary.client.certificate_file import replace_public_file
from ostiary.errors import ConfigurationError
from ostiary.model.certificate_authority import Authority, IssuingKeyStore
from ostiary.protocol import algorithms
from ostiary.secret_files import read_secret_file

app = typer.Typer(no_args_is_help=True, add_completion=False)

_COLUMNS = ("authority_id", "kind", "state", "alg", "key_store", "not_after", "fingerprint", "permits")
_ALGORITHMS = {"p256": "ES256", "p384": "ES384", "ed25519": "EdDSA", "rsa3072": "RS256"}

Key = Annotated[str, typer.Option("--key", help="The kind of its key: p256, p384, ed25519, rsa3072.")]
RootKey = Annotated[Path, typer.Option("--root-key", help="The root's private key (PEM, mode 0600); keep it offline.")]
Passphrase = Annotated[
    Path | None,
    typer.Option("--root-passphrase-file", help="A file (mode 0600) with the passphrase of the root's key."),
]
RootFile = Annotated[Path, typer.Option("--root", help="The root's certificate, PEM.")]
NewRootKey = Annotated[Path, typer.Option("--root-key", help="The new file for the new root's private key.")]
NewRootFile = Annotated[Path, typer.Option("--root", help="The new file for the new root's certificate, PEM.")]
KeyStore = Annotated[
    str, typer.Option("--key-store", help="Where the issuing key is made: file, or pkcs11 (the settings' token).")
]
Dns = Annotated[list[str] | None, typer.Option("--permit-dns", help="A domain it may certify, with all below it.")]
Nets = Annotated[list[str] | None, typer.Option("--permit-network", help="A network it may certify addresses of.")]


@app.command("init")
@operator_command
def init(
    where: Where,
    name: Annotated[str, typer.Option("--name", help="Your organization, as it stands in every CA certificate.")],
    root_key: RootKey = Path("root-key.pem"),
    root: RootFile = Path("root.pem"),
    root_passphrase_file: Passphrase = None,
    permit_dns: Dns = None,
    permit_network: Nets = None,
    key: Key = "p256",
    key_store: KeyStore = "file",
) -> None:
    """Make a root, its key in a file of yours, and a first CA under it that issues. Done once."""
    alg, store, passphrase = _alg(key), _key_store(key_store), _passphrase(root_passphrase_file)

    async def act(local: LocalAdministration) -> Authority:
        if await local.certificates.authorities():
            raise ConfigurationError("There is a certificate authority already: see `ostiary ca show`.")
        with _new_root(name, alg, root_key, root, passphrase) as made:
            return await _add(local, made, alg, store, permit_dns, permit_network, first=True)

    _tell(where, where.run_locally(act))
    _warn_of_key(root_key, passphrase)
    host = f"api.{permit_dns[0].removeprefix('.')}" if permit_dns else "api.example.com"
    next_step(f"ostiary cert issue --profile server --dns {host} --generate api.pem")


@app.command("rotate")
@operator_command
def rotate(
    where: Where,
    root_key: RootKey = Path("root-key.pem"),
    root: RootFile = Path("root.pem"),
    root_passphrase_file: Passphrase = None,
    permit_dns: Dns = None,
    permit_network: Nets = None,
    key: Key = "p256",
    key_store: KeyStore = "file",
) -> None:
    """Make the next issuing CA under the root; the present one issues no more, and what it issued stays good.

    Without --permit-dns and --permit-network it may certify what the present one may.
    """
    alg, store = _alg(key), _key_store(key_store)
    loaded = read_root(root_key, root, _passphrase(root_passphrase_file))

    async def act(local: LocalAdministration) -> Authority:
        known = [row for row in await local.certificates.authorities() if row["kind"] == "root"]
        root_id = founding.authority_id_of(loaded.certificate)
        if known and root_id not in {row["authority_id"] for row in known}:
            raise ConfigurationError(f"{root} is another root than that of this installation: see `ostiary ca show`.")
        if not permit_dns and not permit_network:
            return await _add_like_the_present(local, loaded, alg, store)
        return await _add(local, loaded, alg, store, permit_dns, permit_network)

    _tell(where, where.run_locally(act))
    next_step("ostiary ca show; put the root's key offline again")


@app.command("next-root")
@operator_command
def next_root(
    where: Where,
    name: Annotated[str, typer.Option("--name", help="Your organization, as it stands in every CA certificate.")],
    root_key: NewRootKey,
    root: NewRootFile,
    root_passphrase_file: Passphrase = None,
    key: Key = "p256",
) -> None:
    """Make another root, when the present one ends or its key is lost; nothing is issued under it yet.

    First every machine has to trust both: those that renew with --roots-file do by themselves. Then `ca rotate` with
    the files of the new one makes the CA that issues under it.
    """
    alg, passphrase = _alg(key), _passphrase(root_passphrase_file)

    async def act(local: LocalAdministration) -> Authority:
        if not await local.certificates.authorities():
            raise ConfigurationError("There is no certificate authority here: make one by `ostiary ca init`.")
        with _new_root(name, alg, root_key, root, passphrase) as made:
            certificates = local.certificates
            return await certificates.life().add_root(made, _organization(made), certificates.act())

    _tell(where, where.run_locally(act))
    _warn_of_key(root_key, passphrase)
    next_step(f"when every machine trusts it: ostiary ca rotate --root {root} --root-key {root_key}")


@app.command("show")
@operator_command
def show_authorities(where: Where) -> None:
    """Show the authorities: the fingerprint of the root is what other machines trust."""

    async def act(administration: Administration) -> tuple[list[Row], str]:
        return await administration.certificates.authorities(), administration.issuer

    rows, issuer = where.run(act)
    _show(rows, where.output)
    roots = [row for row in rows if row["kind"] == "root"]
    if roots:
        next_step(f"on another machine: ostiary ca trust --url {issuer} --fingerprint {roots[0]['fingerprint']}")
    else:
        next_step('ostiary ca init --name "Your Company" --permit-dns example.com')


@app.command("export")
@operator_command
def export(
    where: Where,
    out: Annotated[Path, typer.Option("--out", help="The file to write, PEM.")] = Path("root.pem"),
    chain: Annotated[bool, typer.Option("--chain", help="The issuing authorities, too.")] = False,
) -> None:
    """Write the certificates of the roots into a file, for whatever is to trust them."""
    rows = where.run(lambda administration: administration.certificates.authorities())
    chosen = [row for row in rows if row["state"] != "revoked" and (chain or row["kind"] == "root")]
    if not chosen:
        raise ConfigurationError("There is no certificate authority here: make one by `ostiary ca init`.")
    replace_public_file(out, "".join(str(row["certificate"]) for row in chosen).encode("ascii"))
    show({"file": str(out), "certificates": len(chosen)}, where.output)
    next_step(f"curl --cacert {out} https://...")


@app.command("retire")
@operator_command
def retire(
    where: Where, authority_id: Annotated[str, typer.Argument(metavar="AUTHORITY_ID", help="As `ca show` tells it.")]
) -> None:
    """Let an issuing CA issue no more; what it issued stays good."""

    async def act(local: LocalAdministration) -> Authority:
        life = local.certificates.life()
        return await life.retire(authority_id, local.certificates.act())

    _tell(where, where.run_locally(act))
    next_step("ostiary ca rotate makes the next one, if none is active now")


@app.command("revoke")
@operator_command
def revoke(
    where: Where,
    authority_id: Annotated[str, typer.Argument(metavar="AUTHORITY_ID", help="As `ca show` tells it.")],
    root_key: RootKey = Path("root-key.pem"),
    root: RootFile = Path("root.pem"),
    root_passphrase_file: Passphrase = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Revoke an issuing CA whose key leaked: every certificate that it issued ends, with the tokens they obtained."""
    if not yes:
        if not sys.stdin.isatty():
            fail(f"This ends every certificate issued by {authority_id}: add --yes if that is meant.", USAGE)
        if not typer.confirm(f"End every certificate issued by {authority_id}?", err=True):
            fail("Nothing was changed.")
    loaded = read_root(root_key, root, _passphrase(root_passphrase_file))

    async def act(local: LocalAdministration) -> Authority:
        return await local.certificates.life().revoke(loaded, authority_id, local.certificates.act())

    _tell(where, where.run_locally(act))
    next_step("ostiary ca rotate makes the next one; then let every machine enrol anew")


async def _add(
    local: LocalAdministration,
    root: Root,
    alg: str,
    store: IssuingKeyStore,
    dns: list[str] | None,
    networks: list[str] | None,
    *,
    first: bool = False,
) -> Authority:
    constraints = checked(dns or (), networks or ())
    if not constraints.dns:
        note("No --permit-dns: this CA may certify every host name. Better is one for your own domains alone.")
        if not constraints.networks:
            note("No --permit-network: this CA may certify every IP address, too.")
    certificates = local.certificates
    name = _organization(root)
    life, act = certificates.life(), certificates.act()
    return await life.add_issuing(root, name, alg, constraints, act, key_store=store, first=first)


async def _add_like_the_present(local: LocalAdministration, root: Root, alg: str, store: IssuingKeyStore) -> Authority:
    rows = await local.certificates.authorities()
    present = [row for row in rows if (row["kind"], row["state"]) == ("issuing", "active")]
    if not present:
        raise ConfigurationError("No authority is active whose constraints could be kept: give --permit-dns.")
    constraints = of_certificate(x509.load_pem_x509_certificate(str(present[-1]["certificate"]).encode("ascii")))
    certificates = local.certificates
    return await certificates.life().add_issuing(
        root, _organization(root), alg, constraints, certificates.act(), key_store=store
    )


def _organization(root: Root) -> str:
    found = root.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(found[0].value) if found else "Private"


def _checked_name(name: str) -> str:
    if not 1 <= len(name.strip()) <= 48 or not name.isprintable():
        raise ConfigurationError("--name is 1 to 48 characters that can be seen, such as the name of your company")
    return name.strip()


@contextmanager
def _new_root(name: str, alg: str, key_file: Path, file: Path, passphrase: bytes | None) -> Iterator[Root]:
    """A root in its files; they go again if what it is made for is refused, so that surely nothing was written.

    After an interruption or a fault nobody knows, and then the database might name a root whose key was removed.
    """
    made = founding.new_root(_checked_name(name), algorithms.generate(alg), alg, time.time())
    # The files come first: an authority whose root's key is nowhere could never be replaced.
    write_root(made, key_file, file, passphrase)
    try:
        yield made
    except ConfigurationError:
        key_file.unlink(missing_ok=True)
        file.unlink(missing_ok=True)
        raise


def _warn_of_key(file: Path, passphrase: bytes | None) -> None:
    note(f"{file} is the root's key: move it offline; it is needed for `ostiary ca rotate` and `ca revoke` alone.")
    if passphrase is None:
        note("It is not encrypted: whoever has the file is the CA. --root-passphrase-file encrypts it.")


def _passphrase(file: Path | None) -> bytes | None:
    if file is None:
        return None
    passphrase = read_secret_file(file).rstrip(b"\r\n")
    if not passphrase:
        raise ConfigurationError(f"The file {file} is empty: write the passphrase of the root's key into it.")
    return passphrase


def _alg(key: str) -> str:
    if key not in _ALGORITHMS:
        raise ConfigurationError(f"--key {key!r} is none; there are: {', '.join(_ALGORITHMS)}")
    return _ALGORITHMS[key]


def _key_store(name: str) -> IssuingKeyStore:
    if name == "file":
        return "file"
    if name == "pkcs11":
        return "pkcs11"
    raise ConfigurationError(f"--key-store {name!r} is none; there are: file, pkcs11")


def _tell(where: Where, made: Authority) -> None:
    row = where.run_locally(_rows)
    chosen = [one for one in row if one["authority_id"] in (made.authority_id, made.parent)]
    _show(chosen, where.output)


async def _rows(local: LocalAdministration) -> list[Row]:
    return await local.certificates.authorities()


def _show(rows: list[Row], output: Format) -> None:
    ordered = sorted(rows, key=lambda row: (row["kind"] != "root", row["state"] != "active"))
    show(ordered if output is Format.JSON else [with_dates(row) for row in ordered], output, columns=_COLUMNS)
