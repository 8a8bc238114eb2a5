"""Seen once: the seam that remembers the ids of single-use JWTs (RFC 7523 section 3, RFC 9449 section 11.1)."""
