"""k-medoids: FasterPAM on matrices and from vectors, against kmedoids, onebatch, scikit-learn."""

import functools
import gzip
import json
import tempfile
import time

import numpy as np

from lowrank_la.cluster import fasterpam, pairwise_distances

from ._harness import Row, busy_cores, compare, fresh

PEERS = ("kmedoids", "onebatch")

OURS, RUST, RUST_T = "fasterpam", "kmedoids.fasterpam(D)", "kmedoids.fasterpam(D.T)"
# (n, k): ratio required over `RUST`, over `RUST_T`
BARS = {
    (20000, 10): (8, 4), (20000, 100): (15, 4), (20000, 200): (15, 4),
    (10000, 100): (10, None), (5000, 100): (6, None), (2000, 100): (4, None),
}  # fmt: skip
SAME_LOSS = 1e-6  # relative
SIMILAR_LOSS = 1e-3  # relative, where the peer's distances differ in the last digits
DISTANCE_ERROR = 1e-6  # relative


# --- problems


def blobs16(n):
    """Points around 50 centres in 16 dimensions."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(50, 16)) * 4
    return (centres[rng.integers(50, size=n)] + rng.normal(size=(n, 16))).astype(np.float32)


def unif10(n):
    """Points that have no clusters."""
    return np.random.default_rng(0).uniform(size=(n, 10)).astype(np.float32)


def digits():
    """Return scikit-learn's 1797 digits."""
    from sklearn.datasets import load_digits

    return load_digits().data.astype(np.float32)


def mnist(bench, n):
    """Return the first n images of MNIST's test set."""
    with gzip.open(bench.file("images/mnist-t10k-images-idx3-ubyte.gz")) as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16)
    return pixels.reshape(-1, 784)[:n].astype(np.float32) / np.float32(255)


def euclidean(X, dtype=np.float32, block=1000):
    """Return exactly symmetric distances, computed in float64, stored in `dtype`."""
    X = X - X.mean(axis=0, dtype=np.float64)
    squares = np.einsum("ij,ij->i", X, X)
    D = np.empty((len(X), len(X)), dtype)
    for i in range(0, len(X), block):
        rows = slice(i, i + block)
        for j in range(0, i + 1, block):
            cols = slice(j, j + block)
            tile = squares[rows, None] + squares[cols] - 2 * (X[rows] @ X[cols].T)
            tile = np.sqrt(np.maximum(tile, 0))
            if i == j:
                tile = np.tril(tile, -1) + np.tril(tile, -1).T
            D[rows, cols] = tile
            D[cols, rows] = tile.T
    return D


def initial(n, k):
    """Return the initial medoids that everyone gets."""
    return np.random.default_rng(1).choice(n, k, replace=False)


# --- a precomputed matrix


def same_loss(ours, theirs):
    """Whether two results have the same loss."""
    return abs(ours.loss - theirs.loss) <= SAME_LOSS * abs(theirs.loss)


def difference(ours, theirs):
    """Whether two results are the same, and a sentence about it."""
    same_medoids = np.array_equal(ours.medoids, theirs.medoids)
    if same_medoids and ours.n_swap == theirs.n_swap and same_loss(ours, theirs):
        return True, f"identical ({ours.n_swap} swaps)"
    return False, (
        f"DIFFERENT: {'the same' if same_medoids else 'other'} medoids, "
        f"swaps {ours.n_swap} and {theirs.n_swap}, loss {ours.loss / theirs.loss - 1:+.1e}"
    )


def matrix_rows(bench, name, X, ks, dtype=np.float32):
    """Compare one thread of each, from the same initial medoids, on one matrix."""
    rust = bench.peer("kmedoids").fasterpam
    n, D = len(X), euclidean(X, dtype)
    for k in ks:
        start = initial(n, k)
        timings = compare(
            {
                OURS: lambda: fasterpam(D, start, n_cpu=1),  # noqa: B023
                RUST: lambda: rust(D, start.copy(), n_cpu=1),  # noqa: B023
                RUST_T: lambda: rust(D.T, start.copy(), n_cpu=1),  # noqa: B023
            },
            bench.quick,
        )
        bars = BARS.get((n, k), (None, None)) if name == "blobs16" and dtype == np.float32 else ()
        for peer, bar in zip((RUST, RUST_T), bars or (None, None), strict=True):
            ours, theirs = timings[OURS].result, timings[peer].result
            same, sentence = difference(ours, theirs)
            yield Row.of(
                f"{name} n={n} k={k} {D.dtype.str[1:]}", OURS, peer, timings, measure="loss",
                quality=float(ours.loss), peer_quality=float(theirs.loss),
                note=sentence, valid=same if bar else same_loss(ours, theirs), bar=bench.bar(bar),
            )  # fmt: skip


def blobs_rows(bench):
    for n in (1000, 2000) if bench.quick else (2000, 5000, 10000, 20000):
        yield from matrix_rows(bench, "blobs16", blobs16(n), (10, 100, 200))
    yield from matrix_rows(bench, "blobs16", blobs16(1000 if bench.quick else 5000), (100,), float)


def unif_rows(bench):
    yield from matrix_rows(bench, "unif10", unif10(1000 if bench.quick else 10000), (10, 100))


def digits_rows(bench):
    yield from matrix_rows(bench, "digits", digits(), (10, 100))


def mnist_rows(bench):
    X = mnist(bench, 1000 if bench.quick else 10000)
    yield from matrix_rows(bench, "mnist", X, (10, 100, 200))


# --- two threads


def race(n, k, rounds, busy):
    """Time one thread and two in turns; run by a child that may use two."""
    D, start = euclidean(blobs16(n)), initial(n, k)
    results = [fasterpam(D, start, n_cpu=n_cpu) for n_cpu in (1, 2)]
    walls, cpus = ([], []), ([], [])
    with busy_cores() if busy else tempfile.TemporaryDirectory():
        for _ in range(rounds):
            for n_cpu in (1, 2):
                wall, cpu = time.perf_counter(), time.process_time()
                fasterpam(D, start, n_cpu=n_cpu)
                cpus[n_cpu - 1].append(time.process_time() - cpu)
                walls[n_cpu - 1].append(time.perf_counter() - wall)
    one, two = results
    same = one.loss == two.loss and one.n_swap == two.n_swap
    same = same and all(
        np.array_equal(getattr(one, a), getattr(two, a)) for a in ("medoids", "labels")
    )
    reduce = np.median if busy else np.min
    print(json.dumps([*map(reduce, walls), *map(reduce, cpus), bool(same), one.loss, two.loss]))


def thread_rows(bench):
    n, rounds = (5000, 5) if bench.quick else (20000, 7)
    for busy in (False, True):
        call = f"from benchmarks.kmedoids import race; race({n}, 100, {rounds}, {busy})"
        _, (wall1, wall2, cpu1, cpu2, same, loss1, loss2) = fresh(call, threads=2)
        yield Row(
            f"blobs16 n={n} k=100", "fasterpam, 2 threads", "fasterpam, 1 thread",
            cpu2, cpu1, wall2, wall1, clock="wall", measure="loss",
            quality=loss2, peer_quality=loss1, valid=same, bar=bench.bar(1.0 if busy else 1.6),
            note=("same bits" if same else "DIFFERENT bits")
            + (f"; every core kept busy by others, median of {rounds}" if busy
               else f"; minimum of {rounds}; CPU {cpu2:.3g} and {cpu1:.3g} s"),
        )  # fmt: skip


# --- from vectors


def vector_rows(bench, metric):
    """Distances and FasterPAM together, as a user of each package would write it."""
    rust = bench.peer("kmedoids").fasterpam
    from sklearn.metrics import pairwise_distances as sklearn_distances

    n, k = (1000, 20) if bench.quick else (10000, 100)
    X, start = mnist(bench, n), initial(n, k)
    ours, sk, sk_t = "distances + fasterpam", "scikit-learn + kmedoids(D)", "s.-l. + kmedoids(D.T)"
    mine = {ours: lambda: fasterpam(pairwise_distances(X, metric=metric), start, n_cpu=1)}
    theirs = {sk: lambda: rust(sklearn_distances(X, metric=metric), start.copy(), n_cpu=1)}
    if metric == "euclidean":
        theirs[sk_t] = lambda: rust(sklearn_distances(X, metric=metric).T, start.copy(), n_cpu=1)
        timings = compare(mine | theirs, bench.quick)
    else:  # the peer takes minutes
        timings = compare(mine, bench.quick) | compare(theirs, once=True)
    for peer in theirs:
        loss, peer_loss = (float(timings[name].result.loss) for name in (ours, peer))
        yield Row.of(
            f"mnist n={n} k={k} {metric}", ours, peer, timings, measure="loss",
            quality=loss, peer_quality=peer_loss, note=memory_note(timings, ours, peer),
            valid=abs(loss / peer_loss - 1) <= SIMILAR_LOSS,
            bar=bench.bar(25 if metric == "cityblock" else None),
        )  # fmt: skip


def memory_note(timings, ours, peer):
    """Say what memory each took."""
    peaks = [timings[name].peak_mb for name in (ours, peer)]
    return "" if None in peaks else "peak memory {:.0f} and {:.0f} MB".format(*peaks)


def onebatch_rows(bench):
    """Compare with a method that looks at a sample of the matrix only: less time, more loss."""
    OneBatchPAM = bench.peer("onebatch").OneBatchPAM
    n, k = (1000, 20) if bench.quick else (10000, 100)
    X, start = mnist(bench, n), initial(n, k)
    model = OneBatchPAM(n_medoids=k, distance="cityblock", random_state=1)
    ours, peer = "distances + fasterpam", "OneBatchPAM"
    timings = compare(
        {
            ours: lambda: fasterpam(pairwise_distances(X, metric="cityblock"), start, n_cpu=1),
            peer: lambda: model.fit(X).medoid_indices_,
        },
        bench.quick,
    )
    losses = [
        true_loss(X, medoids, "cityblock")
        for medoids in (timings[ours].result.medoids, timings[peer].result)
    ]
    gap = losses[1] / losses[0] - 1
    yield Row.of(
        f"mnist n={n} k={k} cityblock", ours, peer, timings, measure="loss",
        quality=losses[0], peer_quality=losses[1],
        note=f"theirs {gap:+.1%}; {memory_note(timings, ours, peer)}",
    )  # fmt: skip


def true_loss(X, medoids, metric):
    """Return the loss over all points, in float64."""
    from scipy.spatial.distance import cdist

    return float(cdist(X, X[np.asarray(medoids)], metric).min(axis=1).sum())


def distance_rows(bench):
    """Compare distances alone, and their error."""
    from scipy.spatial.distance import cdist
    from sklearn.metrics import pairwise_distances as sklearn_distances

    sizes = {"cityblock": 4000, "euclidean": 10000}
    for metric, full in sizes.items():
        n = 500 if bench.quick else full
        X = mnist(bench, n)
        ours, peer = "pairwise_distances", "scikit-learn"
        mine = {ours: lambda: pairwise_distances(X, metric=metric)}  # noqa: B023
        theirs = {peer: lambda: sklearn_distances(X, metric=metric)}  # noqa: B023
        slow = metric == "cityblock" and not bench.quick
        timings = compare(mine, bench.quick) | compare(theirs, bench.quick, once=slow)
        some = np.random.default_rng(0).choice(n, 300, replace=False)
        exact = cdist(X[some].astype(float), X.astype(float), metric)
        off = exact > 0
        errors = [
            float(np.max(np.abs(timings[name].result[some] - exact)[off] / exact[off]))
            for name in (ours, peer)
        ]
        yield Row.of(
            f"mnist n={n} {metric}", ours, peer, timings, measure="largest relative error",
            quality=errors[0], peer_quality=errors[1], valid=errors[0] <= DISTANCE_ERROR,
            note=f"at most {DISTANCE_ERROR:g} is required of ours",
        )  # fmt: skip


# --- first use

BASE = "import numba, sklearn, numpy as np; X = np.random.default_rng(0).normal(size=(500, 16))"
FIT = BASE + "; from lowrank_la.cluster import KMedoids; KMedoids(random_state=0).fit(X)"
IMPORT = """
import json, sys, time
import numpy
start = time.process_time()
import lowrank_la
seconds = time.process_time() - start
print(json.dumps([seconds, [name for name in ("numba", "sklearn") if name in sys.modules]]))
"""


def first_use_rows(bench):
    """Measure in fresh processes what the first call costs beyond the imports that it needs."""
    rounds = 1 if bench.quick else 5
    imports = [fresh(IMPORT)[1] for _ in range(rounds + 1)][1:]
    loaded = imports[0][1]
    yield Row.allowance(
        "import lowrank_la", "import, beyond numpy", np.median([s for s, _ in imports]), 0.1,
        valid=not loaded, note=f"loads {loaded or 'neither numba nor scikit-learn'}",
    )  # fmt: skip
    base, cold, warm = [], [], []
    fresh(BASE)
    for _ in range(rounds):
        base.append(fresh(BASE)[0])
        with tempfile.TemporaryDirectory() as cache:
            cold.append(fresh(FIT, cache=cache)[0])
            warm.append(fresh(FIT, cache=cache)[0])
    base = np.median(base)
    note = f"CPU of a fresh process, less {base:.2f} s for importing numba and scikit-learn"
    for name, seconds, allowed in (("empty", cold, 4.0), ("warm", warm, 0.6)):
        beyond = max(0.0, float(np.median(seconds) - base))
        yield Row.allowance(
            f"first fit, {name} cache", "KMedoids().fit", beyond, allowed, note=note
        )


# --- proven optima


def pmedian(bench, number):
    """Return the distances, the number of medoids and the optimum of an OR-Library instance."""
    from scipy.sparse.csgraph import shortest_path

    words = bench.file(f"pmedian/pmed{number}.txt").read_text().split()
    (n, _, k), edges = map(int, words[:3]), np.array(words[3:], int).reshape(-1, 3)
    graph = np.zeros((n, n))
    for a, b, length in edges:  # of repeated edges the last holds
        graph[a - 1, b - 1] = graph[b - 1, a - 1] = length
    optima = dict(line.split() for line in bench.file("pmedian/pmedopt.txt").open().readlines()[1:])
    return shortest_path(graph, directed=False), k, float(optima[f"pmed{number}"])


def optimum_rows(bench):
    """Measure the gap to proven optima of the same starts; it tells about the method."""
    rust = bench.peer("kmedoids").fasterpam
    numbers = range(1, 4 if bench.quick else 11)
    instances = [pmedian(bench, number) for number in numbers]
    starts = [
        [np.random.default_rng(seed).choice(len(D), k, replace=False) for seed in range(10)]
        for D, k, _ in instances
    ]

    def losses(solve):
        return np.array([
            [solve(D, start.copy(), n_cpu=1).loss for start in tens]
            for (D, _, _), tens in zip(instances, starts, strict=True)
        ])  # fmt: skip

    ours, peer = "fasterpam, 10 starts", "kmedoids.fasterpam, 10 starts"
    timings = compare({ours: lambda: losses(fasterpam), peer: lambda: losses(rust)}, bench.quick)
    optima = np.array([optimum for _, _, optimum in instances])[:, None]
    gaps = [100 * (timings[name].result / optima - 1) for name in (ours, peer)]
    for which, reduce in (("mean start", np.mean), ("best start", np.min)):
        mine, theirs = (float(reduce(gap, axis=1).mean()) for gap in gaps)
        yield Row.of(
            f"pmed1-{numbers[-1]}, {which}", ours, peer, timings,
            measure="mean gap to the optimum in %", quality=mine, peer_quality=theirs,
        )  # fmt: skip


SECTIONS = {
    "Precomputed matrix, one thread, same initial medoids: blobs16": blobs_rows,
    "Precomputed matrix, one thread, same initial medoids: mnist": mnist_rows,
    "Precomputed matrix, one thread, same initial medoids: unif10": unif_rows,
    "Precomputed matrix, one thread, same initial medoids: digits": digits_rows,
    "Two threads against one (wall time)": thread_rows,
    "From vectors, city-block": functools.partial(vector_rows, metric="cityblock"),
    "From vectors, Euclidean": functools.partial(vector_rows, metric="euclidean"),
    "From vectors, against a sampled method (its own random start)": onebatch_rows,
    "Distances alone": distance_rows,
    "First use (CPU seconds, against what is allowed)": first_use_rows,
    "OR-Library p-median, against proven optima": optimum_rows,
}
