"""The real servers, runtimes and clients that the tests run against; none is ever replaced or skipped.

`python -m tests.real_parts.fetch` brings them, the fixtures in `fixtures.py` start them. A part that cannot be had
fails the suite with one sentence that names it.
"""


class MissingPart(RuntimeError):
    """A real part cannot be had; the message names it and says what to do."""
