"""Security events to other systems and from them: OpenID Shared Signals Framework 1.0, CAEP 1.0, RISC 1.0.

``acts`` stands low, because whatever ends or changes something of a user's calls it; the rest stands above the server's
keys and clients.
"""
