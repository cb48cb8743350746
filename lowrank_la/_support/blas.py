"""Hold BLAS at one thread, where a result must not depend on their number."""

import functools
import os
import threading
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

_turn = threading.RLock()


def _new_turn():
    """Start a forked child with a lock that nobody holds."""
    global _turn
    _turn = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_turn)


@functools.cache
def _controller():
    return ThreadpoolController()


@contextmanager
def single_threaded_blas():
    """Run the block with single-threaded BLAS, one thread of the caller's after another.

    The limit is the whole process's: were blocks of several threads to overlap,
    the first to leave would lift it for the others.
    """
    with _turn, _controller().limit(limits=1, user_api="blas"):
        yield
