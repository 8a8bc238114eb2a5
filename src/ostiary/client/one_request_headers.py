"""Request headers of which one is good for this request alone: a redirect does not take it along.

httpx2 builds a redirected request from the list of the first one's headers, and takes out ``Authorization`` alone, and
that not always. A transport sends ``raw``. So what stands in ``raw`` and not in the list is sent once and goes no
further, whatever ``follow_redirects`` says; should a transport read something else, nothing is sent, and the API
refuses.
"""

from __future__ import annotations

import httpx2


class OneRequestHeaders(httpx2.Headers):
    """``headers`` with ``name: value``, which is sent and can be read by its name, but is neither copied nor shown."""

    def __init__(self, headers: httpx2.Headers, name: str, value: str) -> None:
        self._name = name
        self._value = value
        # One of the same name that the caller has set must not travel beside it.
        super().__init__([(own, given) for own, given in headers.raw if own.lower() != name.lower().encode()])

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        return [*super().raw, (self._name.encode("ascii"), self._value.encode("ascii"))]

    def __getitem__(self, key: str) -> str:
        return self._value if key.lower() == self._name.lower() else super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and (key.lower() == self._name.lower() or super().__contains__(key))
