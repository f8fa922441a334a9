"""Requests kept in flight by a thread of their own, while the caller reads the results at its own pace."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from typing import Generic, TypeVar

from openai import AsyncOpenAI

Item = TypeVar("Item")
Result = TypeVar("Result")

CONNECTIONS_A_CLIENT = 32
"""More requests than this are spread over several HTTP clients: a pool's own work grows with its connections."""


def work_through(
    take: Callable[[int], list[Item]],
    work: Callable[[AsyncOpenAI, Item], Awaitable[Result]],
    connect: Callable[[], AsyncOpenAI],
    concurrency: int,
) -> Generator[tuple[Item, Result]]:
    """What `take` gives with its results, as they finish. As many items again as are in flight are taken ahead, so
    that a slow reader does not leave the server idle."""
    line = Line(work, connect, concurrency)
    room = ahead = 2 * concurrency
    try:
        while True:
            for item in take(room):
                line.send(item)
                room -= 1
            if room == ahead:
                return
            finished = line.receive()
            room += 1
            yield finished
    finally:
        line.close()


class Line(Generic[Item, Result]):
    """A thread whose event loop works on what is sent, `concurrency` at a time; results come out as they finish."""

    def __init__(
        self,
        work: Callable[[AsyncOpenAI, Item], Awaitable[Result]],
        connect: Callable[[], AsyncOpenAI],
        concurrency: int,
    ) -> None:
        self._work = work
        self._connect = connect
        self._concurrency = concurrency
        self._clients: dict[int, AsyncOpenAI] = {}
        self._results: queue.SimpleQueue[tuple[Item, Result] | BaseException] = queue.SimpleQueue()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="emowhy-server", daemon=True)
        self._thread.start()
        self._ready.wait()

    def send(self, item: Item) -> None:
        with suppress(RuntimeError):  # the loop may have ended on an error, which `receive` raises
            self._loop.call_soon_threadsafe(self._inbox.put_nowait, item)

    def receive(self) -> tuple[Item, Result]:
        """The next finished item with its result; raises what ended the work."""
        result = self._results.get()
        if isinstance(result, BaseException):
            raise result
        return result

    def close(self) -> None:
        """Cancel what is in flight, close every connection, end the thread."""
        with suppress(RuntimeError):  # the loop may have ended already
            self._loop.call_soon_threadsafe(self._main.cancel)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._results.put(error)
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._inbox: asyncio.Queue[Item] = asyncio.Queue()
        self._main = asyncio.ensure_future(asyncio.gather(*(self._worker(i) for i in range(self._concurrency))))
        self._ready.set()
        try:
            await self._main
        finally:
            workers = asyncio.all_tasks() - {asyncio.current_task()}
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            await asyncio.gather(*(client.close() for client in self._clients.values()), return_exceptions=True)

    async def _worker(self, number: int) -> None:
        lane = number // CONNECTIONS_A_CLIENT
        while True:
            item = await self._inbox.get()
            if lane not in self._clients:
                self._clients[lane] = self._connect()
            self._results.put((item, await self._work(self._clients[lane], item)))
