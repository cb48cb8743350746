import threading
import time

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowrank_la._support import blocks
from lowrank_la._support.blocks import frozen, helpers, run_blocks, thread_count
from lowrank_la._support.jit import kernel


@kernel
def partial_sums(lo, hi, b, values, sums):
    total = 0.0
    for i in range(lo, hi):
        total += values[i]
    sums[b] = total


@kernel
def write_to_input(lo, hi, b, values, sums):
    values[lo] = 0.0


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 4))
def test_blocks_partition_the_range(n, block, n_threads):
    seen = []
    run_blocks(lambda lo, hi, b: seen.append((b, lo, hi)), n, block, (), n_threads)
    seen.sort()
    assert [b for b, _, _ in seen] == list(range(-(-n // block)))
    assert [i for _, lo, hi in seen for i in range(lo, hi)] == list(range(n))
    assert all(hi - lo <= block for _, lo, hi in seen)


def test_one_thread_runs_in_order_in_the_caller():
    seen = []
    run_blocks(lambda lo, hi, b: seen.append((b, threading.get_ident())), 50, 5, (), 1)
    assert seen == [(b, threading.get_ident()) for b in range(10)]


def test_two_threads_take_part():
    meeting = threading.Barrier(2, timeout=60)  # breaks unless two blocks run at once
    run_blocks(lambda lo, hi, b: meeting.wait() * 0, 2, 1, (), 2)


def test_same_bits_on_any_number_of_threads():
    values = np.random.default_rng(0).normal(size=100_003)
    results = []
    for n_threads in (1, 2, 5):
        sums = np.empty(101)
        run_blocks(partial_sums, len(values), 1000, (frozen(values), sums), n_threads)
        results.append(sums.tobytes())
    assert len(set(results)) == 1
    np.testing.assert_allclose(sums.sum(), values.sum(), rtol=1e-10)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_kernel_that_returns_true_ends_the_run(n_threads):
    done = set()

    def block(lo, hi, b):
        time.sleep(0.001)
        done.add(b)
        return b == 20

    run_blocks(block, 1000, 1, (), n_threads)
    assert done >= set(range(21)), "an earlier block is missing"
    assert len(done) < 100


@pytest.mark.parametrize("n_threads", [1, 2, 4])
@pytest.mark.parametrize("failing", [0, 7, 39])
def test_an_exception_reaches_the_caller_and_the_pool_survives(n_threads, failing):
    def block(lo, hi, b):
        if b == failing:
            raise ArithmeticError(f"block {b}")

    with pytest.raises(ArithmeticError, match=f"block {failing}"):
        run_blocks(block, 40, 1, (), n_threads)
    test_blocks_partition_the_range.hypothesis.inner_test(40, 3, n_threads)


def test_nothing_runs_after_an_exception():
    seen = []

    def block(lo, hi, b):
        seen.append(b)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_blocks(block, 1000, 1, (), 2)
    count = len(seen)
    time.sleep(0.05)
    assert len(seen) == count < 10


def test_blocks_may_run_blocks():
    total = np.zeros((8, 8), int)

    def outer(lo, hi, b):
        run_blocks(lambda low, high, c: total[b].__setitem__(c, 1), 8, 1, (), 4)

    run_blocks(outer, 8, 1, (), 4)
    assert total.all()


def test_helpers_work_beside_the_caller():
    meeting = threading.Barrier(2, timeout=60)
    with helpers(1, bool, meeting.wait):
        meeting.wait()  # breaks unless a helper comes


def test_helpers_that_came_are_told_to_stop_and_waited_for():
    came, stop, done = threading.Event(), threading.Event(), []

    def work(value):
        came.set()
        stop.wait(60)
        time.sleep(0.05)
        done.append(value)

    with helpers(1, stop.set, work, 7):
        came.wait(60)
    assert done == [7]


def test_threads_that_cannot_be_started_are_done_without(monkeypatch):
    submit, stop, ended = blocks._pool().submit, threading.Event(), []

    def first_only(*call):
        monkeypatch.setattr(blocks._pool(), "submit", refuse)
        return submit(*call)

    def refuse(*call):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(blocks._pool(), "submit", first_only)
    with helpers(2, stop.set, lambda: ended.append(stop.wait(60))):
        pass
    assert ended in ([], [True])


def test_helpers_that_cannot_come_are_not_waited_for():
    free = threading.Event()
    busy = [blocks._pool().submit(free.wait, 60) for _ in range(blocks._pool()._max_workers)]
    try:
        with helpers(3, bool, pytest.fail, "nobody needed this helper any more"):
            pass
    finally:
        free.set()
    assert all(future.result() for future in busy)


def test_errors_of_helpers_and_of_the_caller_are_raised():
    came = threading.Event()

    def work():
        came.set()
        raise ArithmeticError

    with pytest.raises(ArithmeticError), helpers(1, bool, work):
        came.wait(60)
    with pytest.raises(KeyError), helpers(2, bool, bool):
        raise KeyError


FORK = """
import os, threading
from lowrank_la._support.blocks import run_blocks
def work():
    meeting = threading.Barrier(2, timeout=30)  # breaks unless two threads take part
    run_blocks(lambda lo, hi, b: meeting.wait() * 0, 2, 1, (), 2)
    return True
assert work()
child = os.fork()
if not child:
    os._exit(0 if work() else 1)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="this system cannot fork")
def test_a_forked_child_has_its_own_pool(run_python):
    run_python("-c", FORK)


def test_frozen_is_a_view_where_it_can_be():
    array = np.arange(6.0).reshape(2, 3)
    view = frozen(array)
    assert np.shares_memory(view, array)
    assert array.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0] = 1
    assert frozen(array.T).flags.c_contiguous
    np.testing.assert_array_equal(frozen(array.T), array.T)


def test_frozen_forgets_memory_maps(tmp_path):
    stored = np.memmap(tmp_path / "values", mode="w+", shape=(3,), dtype=float)
    assert type(frozen(stored)) is np.ndarray
    assert np.shares_memory(frozen(stored), stored)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="the JIT is off")
def test_a_kernel_that_writes_to_its_input_does_not_compile():
    with pytest.raises(numba.TypingError, match="readonly"):
        run_blocks(write_to_input, 1, 1, (frozen(np.ones(3)), np.empty(1)), 1)


def test_thread_count_is_what_was_asked_for():
    assert thread_count(3) == 3
    assert thread_count() >= 1
    assert thread_count(-1) == thread_count(None) == thread_count()


def test_thread_count_obeys_numba_and_joblib(monkeypatch):
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 1)
    assert thread_count() == 1
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 64)
    monkeypatch.setattr(blocks.joblib, "effective_n_jobs", lambda n_jobs: 1)
    assert thread_count() == 1
    monkeypatch.setattr(blocks.joblib, "effective_n_jobs", lambda n_jobs: 5)
    assert thread_count() == 5
