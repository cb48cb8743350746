import pytest

# Each runs in a process of its own, where BLAS has two threads and nobody else limits it.
PRELUDE = """
import os, threading, time
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

FROM_TWO_THREADS = """
entered, left = threading.Event(), threading.Event()

def first():
    with single_threaded_blas():
        entered.set()
        time.sleep(0.2)  # enough for the second to enter, if nothing keeps it from that
    left.set()

def second():
    entered.wait(60)
    with single_threaded_blas():
        left.wait(60)
        return blas_threads()

with ThreadPoolExecutor(2) as pool:
    pool.submit(first)
    assert pool.submit(second).result() == {1}, "the first to leave lifted the limit"
assert blas_threads() == {2}, "the limit outlived the blocks"
"""

FORKED_WITHIN = """
entered, leave = threading.Event(), threading.Event()

def hold():
    with single_threaded_blas():
        entered.set()
        leave.wait(60)

with ThreadPoolExecutor(1) as pool:
    pool.submit(hold)
    entered.wait(60)
    child = os.fork()
    if not child:
        with single_threaded_blas():
            os._exit(0)
    leave.set()
for _ in range(600):  # a child that waits for a lock never ends
    ended, status = os.waitpid(child, os.WNOHANG)
    if ended:
        break
    time.sleep(0.05)
else:
    os.kill(child, 9)
assert ended and status == 0
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
    [NESTED, AFTER_AN_ERROR, FROM_TWO_THREADS, ANOTHER_THREAD_LATER, FORKED_WITHIN],
    ids=["nested", "after an error", "two threads", "another thread later", "forked within"],
)
def test_one_thread_within_and_no_trace_after(code, run_python):
    run_python("-c", PRELUDE + code, OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2")
