"""Hold BLAS at one thread, where a result must not depend on their number."""

import functools
import threading
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_holders = 0
_limit = None


@functools.cache
def _controller():
    return ThreadpoolController()


@contextmanager
def single_threaded_blas():
    """Run the block with single-threaded BLAS; concurrent blocks share one limit.

    The first to enter sets the limit and the last to leave lifts it, so that
    overlapping blocks of several threads leave no trace.
    """
    global _holders, _limit
    with _lock:
        if not _holders:
            _limit = _controller().limit(limits=1, user_api="blas")
            _limit.__enter__()
        _holders += 1
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if not _holders:
                _limit.__exit__(None, None, None)
