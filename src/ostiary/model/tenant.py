"""The tenant of every row until tenants are a feature."""

from __future__ import annotations

from typing import Final

TENANT: Final = "default"
