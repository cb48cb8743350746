"""Graphs beyond memory: the same embedding from blocks of mapped files, on any executor."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from joblib.externals.loky import ProcessPoolExecutor
from scipy import sparse

from lowrank_la._support.blocks import thread_count
from lowrank_la.embedding import _blocks, _cpu, fastrp


@pytest.fixture
def graph():
    return sparse.random_array((3000, 3000), density=0.003, rng=0, format="csr")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(_blocks, "_ENTRIES", 1000)


@pytest.mark.parametrize("storage", ["float32", "float64", "int8"])
@pytest.mark.parametrize("law", ["hashed", "sparse"])
@pytest.mark.parametrize("weights", [(1,), (0, 1, 1), (1, 1, 0, 2)])
def test_equals_the_one_in_memory(graph, storage, law, weights, tmp_path):
    options = {"weights": weights, "projection": law, "storage": storage, "random_state": 0}
    options |= {"self_influence": 0.5}
    found = fastrp(graph, 20, folder=tmp_path / "new", **options)
    assert isinstance(found, np.memmap)
    np.testing.assert_allclose(found, fastrp(graph, 20, **options), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_executors(graph, make, tmp_path):
    expected = fastrp(graph, 20, folder=tmp_path / "serial", random_state=0)
    with make(2) as executor:
        found = fastrp(graph, 20, folder=tmp_path / "spread", executor=executor, random_state=0)
    np.testing.assert_array_equal(found, expected)


def test_a_mapped_graph_is_not_written_again(graph, tmp_path):
    arrays = []
    for name in ("data", "indices", "indptr"):
        array = getattr(graph, name)
        np.save(tmp_path / f"{name}.npy", array.astype(np.float32) if name == "data" else array)
        arrays.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    mapped = sparse.csr_array(tuple(arrays), shape=graph.shape)
    found = fastrp(mapped, 8, folder=tmp_path / "work", random_state=0)
    np.testing.assert_allclose(found, fastrp(graph, 8, random_state=0), rtol=1e-5, atol=1e-6)
    written = {path.name for path in (tmp_path / "work").iterdir()}
    assert not written & {"indptr", "indices", "weights"}
    assert {"scale", "embedding"} <= written


def test_lengths_are_kept_in_bounds(tmp_path):
    A = 1e6 * (1 + np.random.default_rng(0).random((40, 40)))
    options = {"weights": [0] * 19 + [1], "similarity": "adjacency", "random_state": 0}
    found = fastrp(A, 8, folder=tmp_path, **options)
    np.testing.assert_allclose(found, fastrp(A, 8, **options), rtol=1e-4, atol=1e-5)


def test_bad_input(graph, tmp_path):
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="executor"):
        fastrp(graph, 8, executor=executor)
    with pytest.raises(ValueError, match="folder"):
        fastrp(graph, 8, folder=tmp_path, refine=True)
    (tmp_path / "file").touch()
    for folder in (3, tmp_path / "file", tmp_path):
        with pytest.raises(ValueError, match="folder"):
            fastrp(graph, 8, folder=folder)
    with pytest.raises(ValueError, match="executor"):
        fastrp(graph, 8, folder=tmp_path / "new", executor=3)


def test_arrays_over_other_memory_are_no_files(tmp_path):
    A = sparse.random_array((50, 50), density=0.2, rng=0, format="csr")
    borrowed = sparse.csr_array(
        (A.data, np.frombuffer(A.indices.tobytes(), A.indices.dtype), A.indptr), shape=A.shape
    )
    found = fastrp(borrowed, 8, random_state=0, folder=tmp_path)
    np.testing.assert_array_equal(found, fastrp(A, 8, random_state=0))


def test_a_former_result_is_not_overwritten(graph, tmp_path):
    first = fastrp(graph, 8, folder=tmp_path / "new", random_state=0)
    kept = np.array(first)
    with pytest.raises(ValueError, match="folder=.*not empty"):
        fastrp(graph, 8, folder=tmp_path / "new", random_state=1)
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("n_jobs", [1, 3, None])
def test_the_number_of_threads_is_kept_to(graph, n_jobs, tmp_path, monkeypatch):
    used, propagate = set(), _cpu.propagate

    def spy(*args):
        used.add(args[-1])
        propagate(*args)

    monkeypatch.setattr(_cpu, "propagate", spy)
    fastrp(graph, 8, folder=tmp_path, n_jobs=n_jobs, random_state=0)
    assert used == {thread_count(n_jobs)}
