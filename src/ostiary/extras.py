"""One sentence for a package that an extra would have brought (the extras are declared in pyproject.toml)."""


class MissingExtra(ImportError):
    """A module of Ostiary was imported without the packages of its extra.

    Attributes:
        extra: the name to put between the brackets of ``pip install "ostiary[...]"``.
    """

    def __init__(self, extra: str, *, name: str | None = None) -> None:
        super().__init__(f'This needs the extra "{extra}": pip install "ostiary[{extra}]"', name=name)
        self.extra = extra


def missing_extra(extra: str, error: ImportError) -> MissingExtra:
    """Return the error to raise instead of ``error``: ``raise missing_extra("fastapi", error) from error``.

    It is an ``ImportError`` that keeps the name of the module that was not found, so code that probes for a module
    still works, and the original error stays chained for whoever wants to see it.
    """
    return MissingExtra(extra, name=error.name)
