"""ACME."""
