"""What all commands of the operator share: which installation is meant, and how the result is printed.

Without more, a command works on this machine: the settings named by --config or found in the present folder, or the
data of ``ostiary dev``. With --admin-url and --admin-file it asks the admin API of a server elsewhere.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from ostiary.cli.administration import Administration
from ostiary.cli.administration_local import LocalAdministration, local_administration
from ostiary.cli.options import AdminFile, AdminUrl, ConfigOption, DirectoryOption
from ostiary.cli.output import Format, FormatOption
from ostiary.errors import ConfigurationError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Where:
    """The installation that a command is for, and the form of its result."""

    config: Path | None = None
    directory: Path | None = None
    admin_url: str | None = None
    admin_file: Path | None = None
    output: Format = Format.TABLE

    def run(self, act: Callable[[Administration], Awaitable[T]]) -> T:
        """Run ``act`` on the installation, opened for it. Raises what the methods of the port raise."""

        async def inside() -> T:
            async with self._open() as administration:
                return await act(administration)

        return asyncio.run(inside())

    def run_locally(self, act: Callable[[LocalAdministration], Awaitable[T]], *, patient: bool = False) -> T:
        """The same for what only this machine may do; patient: it may take the database more than some seconds.

        Raises ConfigurationError if a server elsewhere is named.
        """
        if self.admin_url is not None:
            raise ConfigurationError("This is done on the server's own machine: leave out --admin-url.")

        async def inside() -> T:
            async with local_administration(self.config, self.directory, patient=patient) as administration:
                return await act(administration)

        return asyncio.run(inside())

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Administration]:
        if self.admin_url is None:
            async with local_administration(self.config, self.directory) as local:
                yield local
            return
        if self.admin_file is None:
            raise ConfigurationError("--admin-url needs --admin-file: make one by `ostiary admin bootstrap`.")
        if self.config is not None or self.directory is not None:
            raise ConfigurationError("--admin-url names a server elsewhere: leave out --config and --directory.")
        from ostiary.cli.administration_remote import remote_administration

        async with remote_administration(self.admin_url, self.admin_file) as remote:
            yield remote


def operator_command(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command, whose first parameter is a Where, the options from which that is made."""

    def command(
        *,
        config: Path | None,
        directory: Path | None,
        admin_url: str | None,
        admin_file: Path | None,
        output: Format,
        **own: Any,
    ) -> None:
        function(Where(config, directory, admin_url, admin_file, output), **own)

    hints = get_type_hints(function, include_extras=True)
    _, *own = inspect.signature(function).parameters.values()
    parameters = [parameter.replace(annotation=hints[parameter.name]) for parameter in own] + _SHARED
    keyword = inspect.Parameter.KEYWORD_ONLY
    signature = inspect.Signature([parameter.replace(kind=keyword) for parameter in parameters])
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__, command.__name__ = function.__doc__, function.__name__
    return command


def _option(name: str, annotation: object, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_SHARED = [
    _option("config", ConfigOption, None),
    _option("directory", DirectoryOption, None),
    _option("admin_url", AdminUrl, None),
    _option("admin_file", AdminFile, None),
    _option("output", FormatOption, Format.TABLE),
]
