"""The pytest plugin: test tokens for an API, without a network."""
