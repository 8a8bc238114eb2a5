"""One suite a seam, run against every adapter for real."""
