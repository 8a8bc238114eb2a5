"""ACME (RFC 8555): servers prove their names and get certificates of the private CA."""
