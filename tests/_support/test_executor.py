from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import add

import numpy as np
import pytest

from lowrank_la._support.executor import map_merge

A = np.random.default_rng(0).normal(size=(403, 5))
BLOCKS = [slice(i, i + 40) for i in range(0, 403, 40)]


def gram(block):
    return A[block].T @ A[block]


def failing(block):
    raise ArithmeticError("no such block")


def threads():
    return ThreadPoolExecutor(2)


def loky():
    return pytest.importorskip("joblib.externals.loky").get_reusable_executor(2)


def dask():
    distributed = pytest.importorskip("distributed")
    return distributed.Client(n_workers=2, threads_per_worker=1, processes=False).get_executor()


@pytest.fixture(scope="module", params=[threads, loky, dask], ids=lambda make: make.__name__)
def executor(request):
    with request.param() as executor:
        yield executor


def test_same_bits_as_serial(executor):
    serial = map_merge(None, gram, BLOCKS, add)
    np.testing.assert_array_equal(map_merge(executor, gram, BLOCKS, add), serial)
    np.testing.assert_allclose(serial, A.T @ A, rtol=1e-12)


def test_parts_are_merged_in_order(executor):
    merged = map_merge(executor, str, range(50), add)
    assert merged == "".join(map(str, range(50)))


def test_errors_reach_the_caller(executor):
    with pytest.raises(ArithmeticError, match="no such block"):
        map_merge(executor, failing, range(50), add)


@pytest.mark.parametrize("make", [lambda: None, threads], ids=["serial", "threads"])
def test_no_blocks_is_an_error(make):
    with pytest.raises(ValueError, match="blocks"):
        map_merge(make(), gram, [], add)


def test_one_block_needs_no_merge():
    assert map_merge(None, partial(pow, 2), [5], None) == 32


def test_blocks_are_read_a_few_at_a_time():
    drawn, merged = [], []

    def read():
        for block in range(200):
            drawn.append(block)
            assert len(drawn) - len(merged) < 40
            yield block

    def merge(total, part):
        merged.append(part)
        return total + part

    with threads() as executor:
        assert map_merge(executor, int, read(), merge) == sum(range(200))
