"""Key management: generate, find, sign - never export; a private key leaves only wrapped."""
