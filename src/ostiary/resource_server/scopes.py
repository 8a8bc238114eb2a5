"""Which scope implies which: broader ones imply narrower ones (RFC 9700 section 2.3).

The default rule reads a scope as a path of words between colons: ``orders`` implies ``orders:read`` and
``orders:read:own``; ``orders:read`` implies neither ``orders`` nor ``orders:reader``. An API with other rules hands in
its own function of (held, needed), or ``exact`` for none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

Implies = Callable[[str, str], bool]


def broader_by_colon(held: str, needed: str) -> bool:
    """Whether ``held`` is ``needed`` or a whole-word prefix of it: ``orders`` for ``orders:read``."""
    return needed == held or needed.startswith(held + ":")


def exact(held: str, needed: str) -> bool:
    """No hierarchy: a scope implies itself alone."""
    return held == needed


def missing(needed: Iterable[str], held: Collection[str], implies: Implies) -> list[str]:
    """The scopes of ``needed`` that ``held`` does not give, in order."""
    return [scope for scope in needed if scope not in held and not any(implies(has, scope) for has in held)]
