"""Contests once more, on the wall clock, in a process whose pools have two threads each."""

import json

from ._harness import Timing, _plain, fresh

THREADS = 2
BLAS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(THREADS)
)  # fmt: skip
NOTE = f"{THREADS} threads of ours and of BLAS, the least of the turns"


def tell(timings, told):
    """Print what a contest of this process has measured, for `raced`."""
    lists = {
        name: [timing.cpus, timing.walls, timing.peak_mb, timing.result]
        for name, timing in timings.items()
    }
    print(json.dumps([told, lists], default=_plain))


def raced(part, *arguments):
    """Call `race` of a part of the benchmarks in a process of its own.

    Returns
    -------
    timings : dict of str to Timing
        The wall time of each is that of its fastest turn.
    told : object

    """
    _, (told, lists) = fresh(
        f"from benchmarks.{part} import race; race(*{arguments!r})", THREADS, variables=BLAS
    )
    timings = {
        name: Timing(cpus, [min(walls)], peak, result)
        for name, (cpus, walls, peak, result) in lists.items()
    }
    return timings, told
