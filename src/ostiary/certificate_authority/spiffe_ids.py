"""Which SPIFFE ID a client may have in an SVID of ours: the one that an operator registered for it, and no other."""

from __future__ import annotations

from collections.abc import Sequence

from ostiary.certificate_authority.refusal import refused
from ostiary.errors import VerificationError
from ostiary.model.client import Client
from ostiary.protocol import spiffe_id
from ostiary.settings.certificate_authority import CertificateAuthoritySettings


def of_client(settings: CertificateAuthoritySettings, client: Client) -> str:
    """The SPIFFE ID that an SVID for ``client`` bears; its caller has proved to be that client.

    Nothing of a request takes part. Raises VerificationError("spiffe_id"): this installation is no trust domain, the
    client is no workload, or one of another trust domain, whose identities are not ours to give.
    """
    if settings.trust_domain is None:
        raise refused(
            spiffe_id.CHECK,
            "no SVIDs are issued here",
            seen="no trust domain",
            expected="a trust domain",
            mend="set certificate_authority.trust_domain",
        )
    if client.spiffe_id is None:
        raise refused(
            spiffe_id.CHECK,
            "this client is no workload",
            seen="no SPIFFE ID",
            expected=f"spiffe://{settings.trust_domain}/...",
            mend=f"ostiary client change {client.client_id} --spiffe-id spiffe://{settings.trust_domain}/PATH",
        )
    if _trust_domain(client.spiffe_id) != settings.trust_domain:
        raise refused(
            spiffe_id.CHECK,
            "the SPIFFE ID is of another trust domain",
            seen=client.spiffe_id,
            expected=f"spiffe://{settings.trust_domain}/...",
            mend="let that trust domain issue its SVIDs",
        )
    return client.spiffe_id


def check_of_client(client: Client, names: Sequence[str]) -> None:
    """Refuse a client the SPIFFE ID that it has not, or has no more. names: identities. Raises VerificationError."""
    found = [name.removeprefix("uri:") for name in names if name.startswith(f"uri:{spiffe_id.SCHEME}")]
    if found != [client.spiffe_id]:
        raise refused(
            spiffe_id.CHECK,
            "this is not the client's SPIFFE ID",
            seen=", ".join(found),
            expected=client.spiffe_id or "none is registered",
            mend=f"ostiary client change {client.client_id} --spiffe-id",
        )


def _trust_domain(registered: str) -> str:
    try:
        return spiffe_id.check_workload(registered)
    except VerificationError:
        return ""
