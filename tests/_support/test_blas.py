import pytest

# Each runs in a process of its own, where BLAS has two threads and nobody else limits it.
PRELUDE = """
import threading
import numpy
from concurrent.futures import ThreadPoolExecutor
from threadpoolctl import threadpool_info
from lowrank_la._support.blas import single_threaded_blas

def blas_threads():
    return {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}

assert blas_threads() == {2}, "this BLAS does not take two threads"
"""

NESTED = """
with single_threaded_blas():
    assert blas_threads() == {1}
    with single_threaded_blas():
        assert blas_threads() == {1}
    assert blas_threads() == {1}
assert blas_threads() == {2}
"""

AFTER_AN_ERROR = """
try:
    with single_threaded_blas():
        raise KeyError
except KeyError:
    pass
assert blas_threads() == {2}
"""

OVERLAPPING = """
meeting = threading.Barrier(4, timeout=60)
order = [threading.Event() for _ in range(5)]
order[0].set()

def work(place):  # all are within at once; whoever entered first leaves first
    order[place].wait(60)
    with single_threaded_blas():
        order[place + 1].set()
        meeting.wait()
        inside = blas_threads()
        meeting.wait()
        if place:
            left[place - 1].wait(60)
    left[place].set()
    return inside

left = [threading.Event() for _ in range(4)]
with ThreadPoolExecutor(4) as pool:
    assert list(pool.map(work, range(4))) == [{1}] * 4
assert blas_threads() == {2}, "the limit outlived the blocks"
"""

ANOTHER_THREAD_LATER = """
with single_threaded_blas():
    pass
with ThreadPoolExecutor(1) as pool:
    def work():
        with single_threaded_blas():
            return blas_threads()
    assert pool.submit(work).result() == {1}
assert blas_threads() == {2}
"""


@pytest.mark.parametrize(
    "code",
    [NESTED, AFTER_AN_ERROR, OVERLAPPING, ANOTHER_THREAD_LATER],
    ids=["nested", "after an error", "overlapping", "another thread later"],
)
def test_one_thread_within_and_no_trace_after(code, run_python):
    run_python("-c", PRELUDE + code, OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2")
