"""JSON that cannot be altered, for what one request leaves to the next: objects refuse to change, arrays are tuples.

Objects stay dicts, so that every JSON library writes them; ``dict(...)`` and ``copy.deepcopy`` give a caller their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

_LEAVES = frozenset({str, int, float, bool, type(None)})


class ReadOnlyDict(dict[str, Any]):
    """A JSON object whose members stay as they are. Changing it raises TypeError."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("These claims are shared with other requests and cannot be changed; take dict(claims).")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __copy__(self) -> ReadOnlyDict:
        return self

    def __deepcopy__(self, _: object) -> dict[str, Any]:
        return {name: _own(value) for name, value in self.items()}

    def __reduce__(self) -> tuple[type[ReadOnlyDict], tuple[dict[str, Any]]]:
        # Built whole again: pickle would set one member after the other.
        return ReadOnlyDict, (dict(self),)


def read_only(members: Mapping[str, object]) -> ReadOnlyDict:
    """``members``, a JSON object, down to its leaves. An object that is read-only already is given back as it is."""
    if type(members) is ReadOnlyDict:
        return members
    frozen = ReadOnlyDict(members)
    for name, value in members.items():
        if type(value) not in _LEAVES:
            dict.__setitem__(frozen, name, _frozen(value))
    return frozen


def _frozen(value: object) -> object:
    if isinstance(value, Mapping):
        return read_only(value)
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


def _own(value: object) -> object:
    if isinstance(value, ReadOnlyDict):
        return value.__deepcopy__(None)
    return [_own(item) for item in value] if isinstance(value, tuple) else value
