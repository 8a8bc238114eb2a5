"""The stages of signing keys as a pure computation: what changes, given the keys, the time and the schedule.

published (in the JWKS, not used) -> active (signs) -> retired (verifies) -> removed (after its last token); withdrawn
when compromised. "Publish a new signing key before use and keep the old one until its tokens end" (OpenID Connect Core
10.1.1): verifiers may keep the JWKS for ``jwks_max_age``, so that long, at least, a key is published before it signs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from ostiary.audit import tags
from ostiary.key_management.base import GeneratedKey
from ostiary.model.signing_key import PUBLISHED_USES, InstallationKey, SigningKeyState, SigningKeyUse

LEEWAY: Final = 60
"""Seconds by which a verifier's clock may be behind: a retired key is kept that much longer than its last token."""

AUDIT_ALG: Final = "ES256"

Kind = tuple[SigningKeyUse, str]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Seconds.

    rotate_after: how long a key signs; publish_before: how long it is published before the schedule uses it;
    jwks_max_age: how long others may keep the JWKS; keep: how long after its retirement something it signed can live.
    """

    rotate_after: int
    publish_before: int
    jwks_max_age: int
    keep: int


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did to the keys of one algorithm.

    outcome: ``"switched"`` at once; ``"scheduled"``: the next key has not been published long enough, the switch
    follows at ``at`` by itself; ``"withdrawn"``: the old key is refused from now on.
    at: seconds since the epoch; old_kid, new_kid: ``""`` where there is none.
    """

    use: SigningKeyUse
    alg: str
    outcome: Literal["switched", "scheduled", "withdrawn"]
    at: int
    old_kid: str = ""
    new_kid: str = ""


class KeyRing:
    """A working copy of the installation's keys.

    After a step it holds ``changed`` and ``added`` rows, ``events`` (tag and row), and the ``lacking`` kinds, of which
    new pairs have to be generated before the step can be done.

    spares: new key pairs that may be used; asked: for a kind of key the time from which a scheduled rotation is due.
    svids: the algorithms of JWT-SVIDs, none if this installation is no trust domain.
    opens: raises ConfigurationError unless this process can sign with the key; asked before a key becomes active.
    """

    def __init__(
        self,
        keys: Iterable[InstallationKey],
        schedule: Schedule,
        now: float,
        *,
        spares: Mapping[Kind, Sequence[GeneratedKey]],
        asked: Mapping[Kind, int],
        opens: Callable[[InstallationKey], object],
        svids: Sequence[str] = (),
    ) -> None:
        self._keys = {key.kid: key for key in keys}
        self._schedule = schedule
        # Rounded up: a key is never taken for older than it is, nor removed a moment early.
        self._now = math.ceil(now)
        self._spares = {kind: list(pairs) for kind, pairs in spares.items()}
        self._opens = opens
        self._svids = svids
        self._asked_before = dict(asked)
        self.asked = dict(asked)
        self.added: dict[str, InstallationKey] = {}
        self.changed: dict[str, InstallationKey] = {}
        self.events: list[tuple[str, InstallationKey]] = []
        self.lacking: list[Kind] = []

    def complete(self, algorithms: Iterable[str]) -> None:
        """Give each algorithm one active and one next key, and the audit log its key."""
        wanted: list[Kind] = [("token", alg) for alg in algorithms] + [("jwt-svid", alg) for alg in self._svids]
        for kind in wanted:
            if self._active(*kind) is None:
                self._activate(self._next(*kind) or self._publish(*kind))
            if self._next(*kind) is None:
                self._publish(*kind)
        if self._active("audit", AUDIT_ALG) is None:
            self._activate(self._publish("audit", AUDIT_ALG))

    def keep_schedule(self, algorithms: Iterable[str]) -> None:
        """Activate, retire and remove what is due, then complete."""
        for active in self._in_state("active"):
            if active.use == "audit":
                if self._is_due(active):
                    self._replace_audit_key(active)
            elif self._is_due(active) and (seasoned := self._seasoned((active.use, active.alg))):
                self._switch(active, seasoned)
        for key in (*self._in_state("retired"), *self._in_state("withdrawn")):
            # An audit key verifies the heads that it signed for as long as somebody keeps them.
            if key.use in PUBLISHED_USES and key.remove_after is not None and key.remove_after <= self._now:
                self._change(key, tags.SIGNING_KEY_REMOVED, state="removed")
        self.complete(algorithms)

    def rotate(self, use: SigningKeyUse, alg: str) -> Rotation:
        """Switch to the next key at once if it has been published for ``jwks_max_age``, else schedule the switch."""
        active = self._active(use, alg)
        if use == "audit" and active is not None:
            return self._replace_audit_key(active)
        following = self._next(use, alg) or self._publish(use, alg)
        if following is None or active is None:
            return Rotation(use, alg, "scheduled", self._now)
        ready_at = following.published_at + self._schedule.jwks_max_age
        if ready_at > self._now:
            self.asked[use, alg] = ready_at
            return Rotation(use, alg, "scheduled", ready_at, active.kid, following.kid)
        self._switch(active, following)
        self._publish(use, alg)
        return Rotation(use, alg, "switched", self._now, active.kid, following.kid)

    def withdraw(self, key: InstallationKey) -> Rotation:
        """Refuse whatever ``key`` signed from now on; if it was the active one, the next signs at once."""
        withdrawn = self._end(key, "withdrawn", tags.SIGNING_KEY_WITHDRAWN)
        new = self._active(key.use, key.alg)
        if key.state == "active":
            # Verifiers that have not seen the next key yet ask for it on meeting its kid.
            new = self._next(key.use, key.alg) or self._publish(key.use, key.alg)
            self._activate(new)
        if key.use in PUBLISHED_USES and self._next(key.use, key.alg) is None:
            self._publish(key.use, key.alg)
        self.asked.pop((key.use, key.alg), None)
        return Rotation(key.use, key.alg, "withdrawn", self._now, withdrawn.kid, new.kid if new else "")

    def is_unchanged(self) -> bool:
        """Whether the last step found nothing to do."""
        return not self.events and self.asked == self._asked_before

    def find(self, kid: str) -> InstallationKey | None:
        """The key of this kid, whatever its state."""
        return self._keys.get(kid)

    def active_keys(self, use: SigningKeyUse) -> list[InstallationKey]:
        """The keys that sign."""
        return [key for key in self._in_state("active") if key.use == use]

    def _in_state(self, state: SigningKeyState) -> list[InstallationKey]:
        found = [key for key in self._keys.values() if key.state == state]
        return sorted(found, key=lambda key: (key.published_at, key.kid))

    def _active(self, use: SigningKeyUse, alg: str) -> InstallationKey | None:
        return next((key for key in self._in_state("active") if (key.use, key.alg) == (use, alg)), None)

    def _next(self, use: SigningKeyUse, alg: str) -> InstallationKey | None:
        return next((key for key in self._in_state("published") if (key.use, key.alg) == (use, alg)), None)

    def _is_due(self, active: InstallationKey) -> bool:
        asked = self.asked.get((active.use, active.alg))
        since = active.activated_at if active.activated_at is not None else active.published_at
        return since + self._schedule.rotate_after <= self._now or (asked is not None and asked <= self._now)

    def _seasoned(self, kind: Kind) -> InstallationKey | None:
        following = self._next(*kind)
        long_enough = self._schedule.jwks_max_age if kind in self.asked else self._schedule.publish_before
        return following if following and following.published_at + long_enough <= self._now else None

    def _switch(self, active: InstallationKey, following: InstallationKey) -> None:
        self._end(active, "retired", tags.SIGNING_KEY_RETIRED)
        self._activate(following)
        self.asked.pop((active.use, active.alg), None)

    def _replace_audit_key(self, active: InstallationKey) -> Rotation:
        new = self._publish("audit", active.alg)
        if new is not None:
            self._switch(active, new)
        return Rotation("audit", active.alg, "switched", self._now, active.kid, new.kid if new else "")

    def _publish(self, use: SigningKeyUse, alg: str) -> InstallationKey | None:
        pairs = self._spares.get((use, alg))
        if not pairs:
            self.lacking.append((use, alg))
            return None
        pair = pairs.pop(0)
        key = InstallationKey(
            kid=pair.kid,
            use=use,
            alg=alg,
            state="published",
            public_jwk=pair.public_jwk,
            wrapped_private_key=pair.wrapped,
            published_at=self._now,
            activated_at=None,
            retired_at=None,
            remove_after=None,
        )
        self._keys[key.kid] = self.added[key.kid] = key
        self.events.append((tags.SIGNING_KEY_PUBLISHED, key))
        return key

    def _activate(self, key: InstallationKey | None) -> None:
        if key is not None:
            self._opens(key)
            self._change(key, tags.SIGNING_KEY_ACTIVATED, state="active", activated_at=self._now)

    def _end(self, key: InstallationKey, state: SigningKeyState, tag: str) -> InstallationKey:
        # It will never sign again, so its private half goes.
        last_token_ends = self._now + self._schedule.keep
        return self._change(
            key, tag, state=state, retired_at=self._now, remove_after=last_token_ends, wrapped_private_key=b""
        )

    def _change(self, key: InstallationKey, tag: str, **changes: object) -> InstallationKey:
        changed = replace(key, **changes)  # type: ignore[arg-type]
        self._keys[key.kid] = changed
        (self.added if key.kid in self.added else self.changed)[key.kid] = changed
        self.events.append((tag, changed))
        return changed
