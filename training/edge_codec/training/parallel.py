"""Work spread over processes with a bounded queue. Knows nothing of audio."""

import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

_T = TypeVar("_T")


def workers(jobs: int) -> Executor:
    """`jobs` processes of one thread each; a single job runs in this process."""
    if jobs == 1:
        return ThreadPoolExecutor(1)
    # Forking a process that holds torch or ONNX threads can deadlock.
    return ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_start_worker)


def draw_ahead(items: Iterable[_T], limit: int) -> Iterator[_T]:
    """The same items in order, `limit` of them drawn before the first is handed on.

    >>> list(draw_ahead("abc", 2))
    ['a', 'b', 'c']
    """
    waiting: deque[_T] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > limit:
            yield waiting.popleft()
    yield from waiting


def _start_worker() -> None:
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to report
