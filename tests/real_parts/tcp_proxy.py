"""A TCP proxy that can be told to delay, hold back or cut what passes: a network that fails, between two real parts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from ostiary.tasks import end
from tests.real_parts.part import Part

_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time to linger: closing sends RST

Result = TypeVar("Result")


class TcpProxy(Part):
    """Listens on a loopback port of its own and passes everything on to ``target``, as the weather allows.

    target: a loopback port; it may be set anew, as a name that from now on leads to another machine: connections that
    exist stay where they are until they are cut. port: where it listens.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self._delay = 0.0
        self._refusing = False
        self._passing = asyncio.Event()
        self._passing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy", daemon=True)
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def fair(self) -> None:
        """Let everything pass; what was held back goes on."""
        self._call(self._change(passing=True))

    def slow(self, seconds: float) -> None:
        """Let each piece pass after so many seconds."""
        self._call(self._change(passing=True, delay=seconds))

    def silent(self) -> None:
        """Hold everything back and tell nobody, as when a cable is pulled; connections stay open."""
        self._call(self._change(passing=False))

    def cut(self) -> None:
        """Reset every connection, and each new one at once."""
        self._call(self._change(passing=True, refusing=True))
        self.reset()

    def reset(self) -> None:
        """Reset every connection that there is; new ones pass."""
        self._call(self._reset())

    def close(self) -> None:
        """End it with all its connections."""
        self.cut()
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)

    def _call(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10.0)

    async def _change(self, *, passing: bool, delay: float = 0.0, refusing: bool = False) -> None:
        self._delay, self._refusing = delay, refusing
        if passing:
            self._passing.set()
        else:
            self._passing.clear()

    async def _reset(self) -> None:
        for writer in list(self._writers):
            _abort(writer)

    async def _end(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await end(tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._refusing:
                return
            await self._passing.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(back)
            try:
                await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
            finally:
                self._writers.discard(back)
                _abort(back)
        except OSError:
            return  # one side is gone: the other is told in the same way
        finally:
            self._writers.discard(writer)
            _abort(writer)

    async def _pass(self, source: asyncio.StreamReader, drain: asyncio.StreamWriter) -> None:
        while piece := await source.read(_CHUNK):
            await self._passing.wait()
            if self._delay:
                await asyncio.sleep(self._delay)
            drain.write(piece)
            await drain.drain()
        await self._passing.wait()
        with contextlib.suppress(OSError, RuntimeError):
            drain.write_eof()


def _abort(writer: asyncio.StreamWriter) -> None:
    found = writer.get_extra_info("socket")
    if found is not None and found.fileno() >= 0:
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
