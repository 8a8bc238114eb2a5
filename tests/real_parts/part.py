"""What all real parts have in common: they end with the block in which they were started."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Part(ABC):
    """A part that is running from the moment it is made."""

    @abstractmethod
    def close(self) -> None:
        """Stop it, and leave nothing behind."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
