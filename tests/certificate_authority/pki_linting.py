"""pkilint's PKIX linters (RFC 5280, RFC 6960), which are commands; what they find at warning or above."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

_AT_LEAST = ["-s", "WARNING", "-f", "TEXT", "--document-format", "DER"]


class PkiLinting:
    """Each method gives what is found, "" for nothing; ``document`` is DER."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        # Its check of URIs has a closed list of schemes ("More schemes will be considered later"), which lacks that of
        # workloads. The scheme is let through; the rest of the URI is checked as ever.
        schemes = importlib.import_module("validators.url")
        known = schemes._validate_scheme
        patch.setattr(schemes, "_validate_scheme", lambda value: value == "spiffe" or known(value))
        self._file = folder / "linted.der"
        self._capture = capture

    def certificate(self, document: bytes) -> str:
        return self._run("lint_pkix_cert", document)

    def revocation_list(self, document: bytes, kind: str = "CRL") -> str:
        """kind: ``"CRL"``, or ``"ARL"`` for that of a root."""
        return self._run("lint_crl", document, "-t", kind, "-p", "PKIX")

    def ocsp_response(self, document: bytes) -> str:
        return self._run("lint_ocsp_response", document)

    def _run(self, linter: str, document: bytes, *more: str) -> str:
        self._file.write_bytes(document)
        self._capture.readouterr()
        code = importlib.import_module(f"pkilint.bin.{linter}").main(["lint", *more, *_AT_LEAST, str(self._file)])
        told = self._capture.readouterr()
        return f"{code}: {told.out}{told.err}" if code else ""
