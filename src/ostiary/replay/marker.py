"""How marks stand in Valkey, and the marker that tells whether its memory may have been lost; without I/O.

Valkey forgets when it is flushed, restarted or failed over, and says nothing of it. So a marker stands beside the
marks: the ``run_id`` of the server that keeps them, and until when proofs are refused. Each question looks at it in the
same script that marks. If it is missing or names another server, what was marked before may be gone: whoever finds that
writes a new marker, and proofs are refused for one window, the longest life that a proof may have. After it, every
proof that may have been forgotten has expired by itself. Since all of it is one script, all nodes agree.

The window is counted by the clocks of those who ask, as the expiry of a proof is: a forgotten proof may be admitted
exactly if it has not expired by the clock of the node that asks, so that is what the marker is compared with. A node
whose clock is not that of Valkey, give or take half of ``CLOCK_SLACK``, is refused: so no two differ by more than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from ostiary.errors import ConfigurationError, Unavailable
from ostiary.replay.buckets import CLOCK_SLACK, MAX_LIFE, digest_of

# KEYS: the marker, then the marks. ARGV: the window, the clock of the node, by how much it may differ, then now and
# life of each mark; all in milliseconds.
# Answers: when the window ends, then for each mark 1 (first), 0 (seen before) or -1 (refused, and not marked).
SCRIPT = """
local time = redis.call('TIME')
local ahead = tonumber(ARGV[2]) - (time[1] * 1000 + time[2] / 1000)
if math.abs(ahead) > tonumber(ARGV[3]) then
  return redis.error_reply(string.format('CLOCK of this node differs from that of Valkey by %.0f s', ahead / 1000))
end
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if not run_id then return redis.error_reply('no run_id') end
local keeper, open_at = string.match(redis.call('GET', KEYS[1]) or '', '^(%x+) (%d+)$')
if keeper ~= run_id then
  local latest = 0
  for place = 4, #ARGV, 2 do latest = math.max(latest, tonumber(ARGV[place])) end
  open_at = string.format('%.0f', latest + tonumber(ARGV[1]))
  redis.call('SET', KEYS[1], run_id .. ' ' .. open_at)
end
local answers = {open_at}
for place = 2, #KEYS do
  local now, life = ARGV[2 * place], ARGV[2 * place + 1]
  if tonumber(now) <= tonumber(open_at) then
    answers[place] = -1
  elseif redis.call('SET', KEYS[place], '', 'NX', 'PX', life) then
    answers[place] = 1
  else
    answers[place] = 0
  end
end
return answers
"""


class Mark(NamedTuple):
    """A question: the digest of (issuer, jti), now and for how long it must be kept, in milliseconds."""

    digest: bytes
    now: int
    life: int


class Marks:
    """Asks and reads for one name in one Valkey.

    name: whose marks these are; longest_life: seconds that a proof may live, so that the window is as long.
    """

    def __init__(self, name: str, longest_life: float) -> None:
        """ConfigurationError if ``longest_life`` is none, or longer than a day."""
        if not 0 < longest_life <= MAX_LIFE:
            raise ConfigurationError(
                "longest_life must be positive and at most a day (86400 s): no proof lives longer."
            )
        self._longest_life = longest_life
        # The clocks of two nodes may differ by the slack.
        self._window = ceil((longest_life + CLOCK_SLACK) * 1000)
        # In braces, so that a cluster keeps all of it in one place, as a script wants it.
        self._front = b"ostiary:replay:{%b}:" % name.encode()
        # Who lets proofs live longer has more to lose, so the marker is that of a window.
        self._marker = self._front + b"kept-by:%d" % self._window

    def mark(self, issuer: str, jti: str, *, expires_at: float, now: float) -> Mark:
        """The question of ``ReplayMemory``; ValueError if the mark would have to live too long."""
        life = expires_at - now
        if not life <= MAX_LIFE:
            raise ValueError("a replay mark is kept for at most one day")
        if life > self._longest_life:
            raise ValueError(f"a proof that lives longer than {self._longest_life:g} s; raise longest_life")
        # Kept for longer than asked: for a decision by a slower clock, and in case the clock of Valkey is set forward.
        return Mark(digest_of(issuer, jti), ceil(now * 1000), ceil((max(life, 0) + CLOCK_SLACK) * 1000))

    def arguments(self, marks: Sequence[Mark], clock: float) -> tuple[int, list[bytes | int]]:
        """How many keys the script is given, and its keys and arguments. clock: of this node, in seconds."""
        keys: list[bytes | int] = [self._marker, *(self._front + mark.digest for mark in marks)]
        times = [time for mark in marks for time in (mark.now, mark.life)]
        return len(keys), [*keys, self._window, int(clock * 1000), CLOCK_SLACK * 500, *times]


def read_answers(marks: Sequence[Mark], answered: object) -> list[bool | Unavailable]:
    """What the script says of each mark: whether it is the first, or why nobody can tell."""
    if not isinstance(answered, list) or len(answered) != len(marks) + 1:
        return [Unavailable("replay memory", "Valkey answered something else")] * len(marks)
    open_at, *answers = answered
    return [_answer(mark, answer, open_at) for mark, answer in zip(marks, answers, strict=True)]


def _answer(mark: Mark, answer: object, open_at: bytes) -> bool | Unavailable:
    if answer in (0, 1):
        return answer == 1
    left = ceil((int(open_at) - mark.now) / 1000) + 1
    return Unavailable(
        "replay memory", f"Valkey may have forgotten: refusing for another {left} s", retry_after=max(left, 1)
    )


def check_policy(policy: object) -> None:
    """Raises ConfigurationError unless Valkey refuses, rather than forgets, when its memory is full."""
    if policy != "noeviction":
        raise ConfigurationError(
            f"Valkey forgets marks when its memory is full (maxmemory-policy {policy}), and would admit a proof twice: "
            "set maxmemory-policy noeviction, or use a Valkey of its own for the replay memory."
        )
