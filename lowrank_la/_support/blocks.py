"""Run a compiled block kernel over a range, on one thread or on several.

This is the only thread pool of the package. A block kernel is called as
``kernel(lo, hi, b, *args)`` and must release the GIL. Which blocks there are
never depends on the number of threads, so neither do the results.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial

import joblib
import numba
import numpy as np

from .cuda import to_host

_CACHE_LINE = 64  # bytes
_pools = {}


def thread_count(requested=None):
    """Threads to use: all that Numba and joblib allow, or as many as requested.

    A worker process of joblib allows one, so that parallel fits do not multiply.
    """
    if requested is not None and requested > 0:
        return requested
    most = numba.config.NUMBA_NUM_THREADS
    return most if most == 1 else max(1, min(most, joblib.effective_n_jobs(-1)))


def frozen(array):
    """Read-only, C-contiguous view (a copy only where the layout, or a GPU, demands one).

    One compiled version then serves writable, read-only and memory-mapped
    input, and a kernel that writes to its input does not compile.
    """
    view = np.ascontiguousarray(to_host(array)).view(np.ndarray)
    view.flags.writeable = False
    return view


def aligned(shape, dtype):
    """Return memory that begins with a cache line: vectors across two take twice as long."""
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(n_bytes + _CACHE_LINE, np.uint8)
    skipped = -memory.__array_interface__["data"][0] % _CACHE_LINE
    return memory[skipped : skipped + n_bytes].view(dtype).reshape(shape)


def _pool():
    """Return this process's pool; a forked child starts its own."""
    pid = os.getpid()
    if pid not in _pools:
        workers = max(1, (os.cpu_count() or 1) - 1)
        _pools.setdefault(pid, ThreadPoolExecutor(workers, thread_name_prefix="lowrank_la"))
    return _pools[pid]


def run_blocks(kernel, n, block, args, n_threads=None):
    """Call ``kernel(lo, hi, b, *args)`` for every block of ``range(n)``, in order.

    A kernel that returns True ends the run: every earlier block is complete
    then, later ones may or may not have been started.

    Parameters
    ----------
    kernel : callable
        Compiled; writes only what belongs to its block.
    n : int
        Length of the range.
    block : int
        Length of a block; a property of the problem, never of the machine.
    args : tuple
        Passed on to every call.
    n_threads : int, optional
        Threads that may take part, the caller's included; see
        :func:`thread_count`.

    """
    n_blocks = -(-n // block)
    if n_blocks == 1:
        kernel(0, n, 0, *args)
        return
    pending = iter(range(n_blocks))
    stop = []

    def work():
        for b in pending:
            if stop or kernel(b * block, min(n, (b + 1) * block), b, *args):
                stop.append(True)
                return

    with helpers(min(thread_count(n_threads), n_blocks) - 1, partial(stop.append, True), work):
        work()


@contextmanager
def helpers(n, stop, work, *args):
    """Let up to `n` other threads run ``work(*args)`` beside the body of a ``with`` block.

    The body must do all the work if no helper comes. When it ends, ``stop()``
    must make those that came return soon: they are waited for.
    """
    futures = []
    try:
        for _ in range(n):
            try:
                futures.append(_pool().submit(work, *args))
            except RuntimeError:  # no thread can be started, or the interpreter is ending
                break
        yield
    finally:
        stop()
        # Those that never started, in a busy pool, are not waited for.
        started = [future for future in futures if not future.cancel()]
        wait(started)
        for future in started:
            future.result()
