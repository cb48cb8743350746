from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numba
import numpy as np
import pytest

from lowrank_la._kernels.shared import add, load, store
from lowrank_la._support.jit import kernel

PATIENCE = 10**8  # looks at a word before giving up, rather than for ever
compiled = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="one thread runs at a time")


@kernel
def count(words, times, seen):
    for i in range(times):
        seen[i] = add(words, 0, 1)


@kernel
def echo(words, mine, other, rounds, patience, payload, errors):
    """Take turns: each waits for the other's word, checks what came with it, and answers."""
    for turn in range(1, rounds + 1):
        if mine == 0:
            payload[0] = turn
            store(words, mine, turn)
        left = patience
        while load(words, other) < turn:
            left -= 1
            if left == 0:
                errors[mine] = turn
                return
        if mine == 1:
            if payload[0] != turn:
                errors[mine] = -turn
            store(words, mine, turn)


@kernel
def one_of_each(words):
    store(words, 1, 5)
    before = add(words, 1, 3)
    return before, load(words, 1), load(words, 0)


def together(*calls):
    """Run all at once."""
    start = Barrier(len(calls), timeout=60)

    def run(call):
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        list(pool.map(run, calls))


def test_one_thread():
    words = np.zeros(3, np.int64)
    assert one_of_each(words) == (5, 8, 0)
    assert words.tolist() == [0, 8, 0]


@compiled
def test_no_addition_is_lost():
    words, times = np.zeros(1, np.int64), 200_000
    seen = np.empty((2, times), np.int64)
    count(words, 0, seen[0])
    together(*(lambda row=row: count(words, times, row) for row in seen))
    assert words[0] == 2 * times
    np.testing.assert_array_equal(np.sort(seen.ravel()), np.arange(2 * times))


@compiled
def test_what_one_thread_stores_another_loads():
    words, payload, errors = np.zeros(2, np.int64), np.zeros(1, np.int64), np.zeros(2, np.int64)
    echo(words, 0, 1, 0, 1, payload, errors)
    together(
        lambda: echo(words, 0, 1, 300, PATIENCE, payload, errors),
        lambda: echo(words, 1, 0, 300, PATIENCE, payload, errors),
    )
    assert errors.tolist() == [0, 0]
    assert words.tolist() == [300, 300]
