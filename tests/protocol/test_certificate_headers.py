"""The header fields that hand a client's certificate on: the examples of the specifications, and one fault each."""

from __future__ import annotations

import base64
import textwrap
from hashlib import sha256
from urllib.parse import quote

import pytest

from ostiary.errors import VerificationError
from ostiary.protocol import certificate_headers, certificate_text
from tests.vectors.client_certificates import RFC_9440_CLIENT, RFC_9440_INTERMEDIATE, RFC_9440_ROOT

DER = base64.b64decode(RFC_9440_CLIENT)
PEM = "-----BEGIN CERTIFICATE-----\n" + "\n".join(textwrap.wrap(RFC_9440_CLIENT, 64)) + "\n-----END CERTIFICATE-----\n"
ESCAPED = quote(PEM, safe="")
CLIENT_CERT = f":{RFC_9440_CLIENT}:".encode()
CHAIN = f":{RFC_9440_INTERMEDIATE}:, :{RFC_9440_ROOT}:".encode()
HASH = sha256(DER).hexdigest()
ENVOY = f'By=spiffe://a.example/proxy;Hash={HASH};Cert="{ESCAPED}";Subject="CN=BC,O=\\"x\\"";URI=;DNS=a.example'


def refused(error: pytest.ExceptionInfo[VerificationError]) -> str:
    assert (error.value.check, error.value.public) == ("certificate", "unusable client certificate")
    return error.value.seen


def test_the_example_of_rfc_9440_is_read() -> None:
    """standards 85."""
    assert certificate_headers.client_cert([CLIENT_CERT]) == DER
    assert certificate_headers.client_cert([CLIENT_CERT], [CHAIN]) == DER
    halves = CHAIN.split(b", ")
    assert certificate_headers.client_cert([CLIENT_CERT], halves) == DER


@pytest.mark.parametrize(
    ("values", "chains", "seen"),
    [
        ([], [CHAIN], "Client-Cert-Chain without Client-Cert"),
        ([CLIENT_CERT, CLIENT_CERT], [], "2 headers with a certificate"),
        ([b""], [], "an empty certificate header"),
        ([b"::"], [], "base64 that is empty or not in its one spelling"),
        ([CLIENT_CERT + b", " + CLIENT_CERT], [], "Client-Cert that is not one byte sequence"),
        ([CLIENT_CERT + b";a=1"], [], "Client-Cert that is not one byte sequence"),
        ([CLIENT_CERT + b"x"], [], "Client-Cert that is not one byte sequence"),
        ([CLIENT_CERT + b"\n"], [], "Client-Cert that is not one byte sequence"),
        ([CLIENT_CERT[1:]], [], "Client-Cert that is not one byte sequence"),
        ([CLIENT_CERT.strip(b":")], [], "Client-Cert that is not one byte sequence"),
        ([CLIENT_CERT.replace(b"/", b"_")], [], "Client-Cert that is not one byte sequence"),
        ([CLIENT_CERT.replace(b"MII", b"MI I")], [], "Client-Cert that is not one byte sequence"),
        ([CLIENT_CERT.replace(b"=:", b":")], [], "base64 that cannot be read"),
        ([CLIENT_CERT.replace(b"=:", b"==:")], [], "base64 that cannot be read"),
        ([CLIENT_CERT.replace(b"k=:", b"l=:")], [], "base64 that is empty or not in its one spelling"),
        ([b":" + b"A" * 65_536 + b":"], [], "a header that is too long"),
        ([CLIENT_CERT], [b""], "Client-Cert-Chain that is not a list of byte sequences"),
        ([CLIENT_CERT], [CHAIN + b","], "Client-Cert-Chain that is not a list of byte sequences"),
        ([CLIENT_CERT], [CHAIN.replace(b",", b";")], "Client-Cert-Chain that is not a list of byte sequences"),
    ],
)
def test_a_client_cert_that_is_not_exactly_one_byte_sequence_is_refused(
    values: list[bytes], chains: list[bytes], seen: str
) -> None:
    """standards 85."""
    with pytest.raises(VerificationError) as error:
        certificate_headers.client_cert(values, chains)
    assert refused(error) == seen


def test_the_certificate_in_envoys_header_is_read() -> None:
    assert certificate_headers.x_forwarded_client_cert([ENVOY.encode()]) == DER
    # Envoy escapes these five alone; keys have no case.
    own = PEM.replace("\n", "%0A").replace(" ", "%20").replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    assert certificate_headers.x_forwarded_client_cert([f'hash={HASH.upper()};CERT="{own}"'.encode()]) == DER


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("", "an empty certificate header"),
        (f"{ENVOY},{ENVOY}", "X-Forwarded-Client-Cert with more than one element"),
        (f"Hash={HASH},{ENVOY}", "X-Forwarded-Client-Cert with more than one element"),
        (f"{ENVOY},", "X-Forwarded-Client-Cert with more than one element"),
        (f'{ENVOY};Cert="{ESCAPED}"', "X-Forwarded-Client-Cert with cert twice"),
        (f"{ENVOY};hash={HASH}", "X-Forwarded-Client-Cert with hash twice"),
        (ENVOY.replace(HASH, HASH[::-1]), "X-Forwarded-Client-Cert whose Cert has another digest than its Hash says"),
        (ENVOY.replace(f"Hash={HASH};", ""), "X-Forwarded-Client-Cert without Hash"),
        (f"Hash={HASH}", "X-Forwarded-Client-Cert without Cert"),
        (f'Hash={HASH};Chain="{ESCAPED}"', "X-Forwarded-Client-Cert without Cert"),
        (f'Hash={HASH};Cert=""', "not one certificate in PEM"),
        (f'Hash={HASH};Cert="{ESCAPED}', "X-Forwarded-Client-Cert that cannot be read"),
        (f"{ENVOY} ", "X-Forwarded-Client-Cert that cannot be read"),
        (f"{ENVOY};", "X-Forwarded-Client-Cert that cannot be read"),
        (f"{ENVOY};;", "X-Forwarded-Client-Cert that cannot be read"),
        (f'{ENVOY}"x"', "X-Forwarded-Client-Cert that cannot be read"),
        (f"Hash=={HASH};Cert={ESCAPED}", "X-Forwarded-Client-Cert that cannot be read"),
        (f'Hash={HASH};Cert="{ESCAPED}{ESCAPED}"', "more than one PEM block"),
        (ESCAPED, "X-Forwarded-Client-Cert that cannot be read"),
    ],
)
def test_an_envoy_header_that_leaves_a_doubt_is_refused(value: str, seen: str) -> None:
    with pytest.raises(VerificationError) as error:
        certificate_headers.x_forwarded_client_cert([value.encode()])
    assert refused(error).startswith(seen)


def test_two_envoy_headers_are_refused() -> None:
    with pytest.raises(VerificationError, match="certificate") as error:
        certificate_headers.x_forwarded_client_cert([ENVOY.encode()] * 2)
    assert refused(error) == "2 headers with a certificate"


def test_a_name_in_a_certificate_that_reads_like_a_pair_replaces_no_certificate() -> None:
    """A URI in a certificate stands unquoted in Envoy's header: ``;Cert=...`` in it is somebody's own choice."""
    own = sha256(base64.b64decode(RFC_9440_ROOT)).hexdigest()  # of the true certificate; Envoy was not told to send it
    with pytest.raises(VerificationError, match="certificate") as error:
        certificate_headers.x_forwarded_client_cert([f"Hash={own};URI=x;Cert={ESCAPED}".encode()])
    assert "another digest" in refused(error)


def test_what_nginx_escapes_is_read() -> None:
    assert certificate_headers.escaped_pem([ESCAPED.encode()]) == DER
    assert certificate_headers.escaped_pem([quote(PEM.rstrip("\n"), safe="+/=").encode()]) == DER
    assert certificate_headers.escaped_pem([quote(PEM.replace("\n", "\r\n"), safe="").encode()]) == DER


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (b"", "an empty certificate header"),
        (PEM.replace("\n", " ").encode(), "a value that is not percent-encoded"),
        (PEM.replace("\n", "\n\t").encode(), "a value that is not percent-encoded"),
        (ESCAPED.encode() + b"%0", "a value that is not percent-encoded"),
        (ESCAPED.encode() + b"," + ESCAPED.encode(), "a value that is not percent-encoded"),
        (ESCAPED.encode() + b"%00", "not one certificate in PEM"),
        (ESCAPED.encode() + b"x", "not one certificate in PEM"),
        (b"x" + ESCAPED.encode(), "not one certificate in PEM"),
        (ESCAPED.replace("%20", "+").encode(), "not one certificate in PEM"),
        (quote(ESCAPED, safe="").encode(), "not one certificate in PEM"),
        (ESCAPED.replace("CERTIFICATE", "PUBLIC%20KEY").encode(), "not one certificate in PEM"),
        (ESCAPED.encode() * 2, "more than one PEM block"),
        (ESCAPED.replace("MII", "MI%20I").encode(), "not one certificate in PEM"),
        (ESCAPED.replace("k%3D%0A", "l%3D%0A").encode(), "base64 that is empty or not in its one spelling"),
        (b"A" * 65_537, "a header that is too long"),
    ],
)
def test_an_escaped_certificate_that_leaves_a_doubt_is_refused(value: bytes, seen: str) -> None:
    with pytest.raises(VerificationError) as error:
        certificate_headers.escaped_pem([value])
    assert refused(error) == seen


def test_a_pem_text_of_any_length_is_refused_at_once() -> None:
    with pytest.raises(VerificationError, match="certificate") as error:
        certificate_text.from_pem(b"-----BEGIN CERTIFICATE-----\n" + b"A\n" * 65_536)
    assert refused(error) == "a certificate that is too long"


def test_the_values_of_a_header_are_found_whatever_stands_around_them() -> None:
    headers = [(b"host", b"a"), (b"client-cert", b" \t:AA==:\t"), (b"client-cert-chain", b"x")]
    assert certificate_headers.values_of(headers, b"client-cert") == [b":AA==:"]
    assert certificate_headers.values_of(headers, b"x-forwarded-client-cert") == []


@pytest.mark.parametrize("spelled", [b"client_cert", b"Client-Cert", b"CLIENT-CERT", b"Client_Cert"])
def test_another_spelling_of_a_header_is_refused(spelled: bytes) -> None:
    """attack 36: what one part of a chain strips, the next must not find under another spelling."""
    with pytest.raises(VerificationError, match="certificate") as error:
        certificate_headers.values_of([(spelled, CLIENT_CERT)], b"client-cert")
    assert refused(error) == f"a header spelled {spelled.decode()}"
