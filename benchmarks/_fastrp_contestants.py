"""Who embeds a graph in the FastRP benchmarks; each takes an adjacency and returns rows.

``python -m benchmarks._fastrp_contestants NAME FILE`` is one of them in a process of its own:
it makes a call for each line that it is sent, so that several can take turns.
"""

import json
import sys
import time

import numpy as np
from scipy import sparse

D = 128
PAPER = {"weights": (0.0, 0.0, 1.0, 6.67), "normalization_strength": -0.64}


def ours(A, **options):
    from lowrank_la.embedding import fastrp

    return fastrp(A, D, random_state=0, **(PAPER | options))


def ours_int8(A):
    return ours(A, storage="int8")


def recurrence(A, dtype=np.float64, seed=0):
    """The authors' recurrence: a very sparse projection, q products, a weighted sum."""
    n = A.shape[0]
    rng = np.random.default_rng(seed)
    degrees = np.asarray(A.sum(axis=1), dtype=np.float64).ravel()
    positive = np.where(degrees > 0, degrees, 1.0)
    s = np.sqrt(n)
    R = sparse.random_array((n, D), density=1 / s, rng=rng, format="csr", dtype=np.float64)
    R.data[:] = np.where(rng.random(R.nnz) < 0.5, -np.sqrt(s), np.sqrt(s))
    scaled = sparse.diags_array(positive ** PAPER["normalization_strength"]) @ R
    P = (sparse.diags_array((degrees > 0) / positive) @ A).astype(dtype)
    U, total = (P @ scaled.astype(dtype)).toarray(), 0
    for k, weight in enumerate(PAPER["weights"]):
        U = P @ U if k else U
        if weight:
            lengths = np.linalg.norm(U, axis=1, keepdims=True)
            total = total + dtype(weight) * (U / np.where(lengths > 0, lengths, 1).astype(dtype))
    return total


def recurrence_float32(A):
    return recurrence(A, np.float32)


def cleora_graph(A):
    """The graph as pycleora reads it: a string to an edge; and which row is which node."""
    from pycleora import SparseMatrix

    upper = sparse.triu(A).tocoo()
    lines = (f"{i} {j}" for i, j in zip(upper.row.tolist(), upper.col.tolist(), strict=True))
    graph = SparseMatrix.from_iterator(lines, "complex::reflexive::node")
    return graph, np.array(graph.entity_ids, dtype=np.int64)


def cleora_propagations(graph, times=3):
    """Products as many as the recurrence has of dense rows."""
    U = graph.initialize_deterministically(D, 0)
    for _ in range(times):
        U = graph.left_markov_propagate(U)
    return U


def cleora(A, whitened_steps=40):
    """pycleora with its defaults, at the length of the others."""
    import pycleora

    graph, names = cleora_graph(A)
    E = np.zeros((A.shape[0], D), np.float32)
    E[names] = pycleora.embed(graph, D, whitened_steps)
    return E


def prone(A):
    from nodevectors import ProNE

    return ProNE(n_components=D, verbose=False).fit_transform(sparse.csr_matrix(A))


def spectral(A):
    from sknetwork.embedding import Spectral

    return Spectral(D).fit_transform(sparse.csr_matrix(A))


def random_projection(A):
    from sknetwork.embedding import RandomProjection

    return RandomProjection(D, random_state=0).fit_transform(sparse.csr_matrix(A))


def save(path, A):
    np.savez(path, indptr=A.indptr, indices=A.indices)


def read(path):
    """The graph of a file, its entries all one."""
    with np.load(path) as file:
        indptr, indices = file["indptr"], file["indices"]
    n = len(indptr) - 1
    return sparse.csr_array((np.ones(len(indices), np.int8), indices, indptr), shape=(n, n))


def prepared(name, path):
    """The call to be measured, without its reading of the graph and its compilation."""
    A, call = read(path), globals()[name]
    if name == "cleora_propagations":
        A, _ = cleora_graph(A)
    elif name.startswith("ours"):
        call(A[:2000, :2000])  # compiles
    elif name.startswith("recurrence"):
        A = A.astype(np.float32 if name.endswith("float32") else np.float64)
    return lambda: call(A)


def serve(name, path):
    """Wait for a line, call, and print wall and CPU seconds and the most MB so far; again."""
    from benchmarks._harness import peak_mb

    call = prepared(name, path)
    print(flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        seconds = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps([*seconds, peak_mb()]), flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
