"""Tells whoever holds what must not cross a fork (``os.register_at_fork``), one fork at a time."""

from __future__ import annotations

import os
import threading
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    """Lets go before a fork, and goes on after it on either side."""

    def before_fork(self) -> None: ...
    def after_fork_in_parent(self) -> None: ...
    def after_fork_in_child(self) -> None: ...


_told: WeakSet[Forked] = WeakSet()
_one_fork = threading.Lock()
_let_go: list[Forked] = []


def tell(one: Forked) -> None:
    """Tell ``one`` of every fork from now on, as long as it lives."""
    # Not while a fork goes through them: that fork would tell nobody, and the lock does not cross it, see ``_before``.
    with _one_fork:
        _told.add(one)


def _before() -> None:
    _one_fork.acquire()
    _let_go[:] = _told
    for one in _let_go:
        one.before_fork()


def _after_in_parent() -> None:
    for one in _let_go:
        one.after_fork_in_parent()
    _let_go.clear()
    _one_fork.release()


def _after_in_child() -> None:
    for one in _let_go:
        one.after_fork_in_child()
    _let_go.clear()
    _one_fork.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
