"""Sign-in through an upstream OpenID Provider: ``fed`` (OpenID EAP; RFC 8176 has no name for it).

Whom the provider names is known by ``iss`` and ``sub`` together (ASVS 6.8.1), never by an e-mail address.
"""
