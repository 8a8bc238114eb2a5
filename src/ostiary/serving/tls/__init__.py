"""Our own TLS: which certificate, under which rules, for whom, and how a new one comes in while we serve."""
