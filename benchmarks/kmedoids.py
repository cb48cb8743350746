"""k-medoids: FasterPAM on matrices and from vectors, against kmedoids, onebatch, scikit-learn."""

import functools
import json
import tempfile
import time

import numpy as np

from lowrank_la.cluster import fasterpam, pairwise_distances

from . import _kmedoids_large, _kmedoids_optima, _kmedoids_variants
from ._first_use import first_use_rows
from ._harness import Row, busy_cores, compare, fresh
from ._kmedoids_problems import (
    blobs16,
    difference,
    digits,
    euclidean,
    initial,
    mnist,
    same_loss,
    true_loss,
    unif10,
)

PEERS = ("kmedoids", "onebatch")

OURS, RUST, RUST_T = "fasterpam", "kmedoids.fasterpam(D)", "kmedoids.fasterpam(D.T)"
# (n, k): ratio required over `RUST`, over `RUST_T`
BARS = {
    (20000, 10): (8, 4), (20000, 100): (15, 4), (20000, 200): (15, 4),
    (10000, 100): (10, None), (5000, 100): (6, None), (2000, 100): (4, None),
}  # fmt: skip
SIMILAR_LOSS = 1e-3  # relative, where the peer's distances differ in the last digits
DISTANCE_ERROR = 1e-6  # relative


def few_rounds(n):
    """How often to compare what n objects take: seconds from 10,000 on, and no warm-up then."""
    return 3 if n >= 10_000 else None


# --- a precomputed matrix


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
            few_rounds(n),
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
        timings = compare(mine | theirs, bench.quick, few_rounds(n))
    else:  # the peer takes minutes
        timings = compare(mine, bench.quick, few_rounds(n)) | compare(theirs, rounds=1)
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
        few_rounds(n),
    )
    losses = [
        true_loss(X, X[np.asarray(medoids)], "cityblock")
        for medoids in (timings[ours].result.medoids, timings[peer].result)
    ]
    gap = losses[1] / losses[0] - 1
    yield Row.of(
        f"mnist n={n} k={k} cityblock", ours, peer, timings, measure="loss",
        quality=losses[0], peer_quality=losses[1],
        note=f"theirs {gap:+.1%}; {memory_note(timings, ours, peer)}",
    )  # fmt: skip


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
        timings = compare(mine, bench.quick) | compare(
            theirs, bench.quick, 1 if slow else few_rounds(n)
        )
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


BASE = "import numba, sklearn, numpy as np; X = np.random.default_rng(0).normal(size=(500, 16))"
FIRST = "from lowrank_la.cluster import KMedoids; KMedoids(random_state=0).fit(X)"

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
    "First use (CPU seconds, against what is allowed)": functools.partial(
        first_use_rows, base=BASE, call=FIRST, name="KMedoids().fit"
    ),
    **_kmedoids_large.SECTIONS,
    **_kmedoids_variants.SECTIONS,
    **_kmedoids_optima.SECTIONS,
}
