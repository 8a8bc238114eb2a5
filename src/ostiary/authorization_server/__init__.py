"""The authorization server: proves clients, issues tokens, introspects and revokes them."""
