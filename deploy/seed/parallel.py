"""The same call for many things, a bounded number at a time, results in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

WORKERS = 6
"""Requests under way at once: a small server is busy with them, and a person still gets through."""

Thing = TypeVar("Thing")
Result = TypeVar("Result")


def each(call: Callable[[Thing], Result], things: Iterable[Thing], workers: int = WORKERS) -> list[Result]:
    """What `call` returns for each.

    After the first failure nothing new begins, what is under way ends, and the failure of the foremost thing
    is raised.
    """
    listed: Sequence[Thing] = list(things)
    if workers == 1 or len(listed) < 2:
        return [call(thing) for thing in listed]
    with ThreadPoolExecutor(min(workers, len(listed)), thread_name_prefix="seed") as pool:
        futures = [pool.submit(call, thing) for thing in listed]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    for future in futures:
        if not future.cancelled() and (error := future.exception()) is not None:
            raise error
    return [future.result() for future in futures]
