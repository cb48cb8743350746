"""Clustering by medoid silhouettes, the variants of PAM, and silhouettes, on matrices."""

import functools

import numpy as np

from lowrank_la.cluster import (
    alternating,
    dynmsc,
    fastermsc,
    fastpam1,
    pam,
    silhouette,
)

from ._harness import Row, compare
from ._kmedoids_problems import SAME_LOSS, blobs16, difference, euclidean, initial

SILHOUETTE_BAR = 5  # FasterMSC and DynMSC, over the package's on the same matrix


def contest(bench, ours, start, D, transposed=True, rounds=None):
    """Time one function of both packages from the same initial medoids; yield two rows' parts."""
    name = ours.__name__
    theirs = getattr(bench.peer("kmedoids"), name)
    calls = {
        name: lambda: ours(D, start, n_cpu=1),
        f"kmedoids.{name}(D)": lambda: theirs(D, start.copy()),
    }
    if transposed:
        calls[f"kmedoids.{name}(D.T)"] = lambda: theirs(D.T, start.copy())
    timings = compare(calls, bench.quick, rounds)
    for peer in list(calls)[1:]:
        yield name, peer, timings


def msc_rows(bench):
    """Maximise the medoid silhouette with k medoids."""
    n, k = (1000, 20) if bench.quick else (10_000, 100)
    D, start = euclidean(blobs16(n)), initial(n, k)
    fastermsc(D[:200, :200], 5, random_state=0, n_cpu=1)  # compiles
    for ours, peer, timings in contest(bench, fastermsc, start, D, rounds=3):
        same, sentence = difference(timings[ours].result, timings[peer].result)
        yield Row.of(
            f"blobs16 n={n} k={k} f4", ours, peer, timings, measure="medoid silhouette",
            quality=float(timings[ours].result.loss),
            peer_quality=float(timings[peer].result.loss), note=sentence, valid=same,
            bar=bench.bar(None if peer.endswith("T)") else SILHOUETTE_BAR),
        )  # fmt: skip


def dynmsc_rows(bench):
    """Choose the number of medoids, too, from k down to 2."""
    sizes = ((500, 20),) if bench.quick else ((2000, 100), (10_000, 100))
    for n, k in sizes:
        D, start = euclidean(blobs16(n)), initial(n, k)
        dynmsc(D[:200, :200], 5, random_state=0, n_cpu=1)  # compiles
        small = n < 10_000  # more takes the peer minutes
        rounds = 3 if small else 1
        for ours, peer, timings in contest(bench, dynmsc, start, D, small, rounds):
            mine, theirs = timings[ours].result, timings[peer].result
            same, sentence = same_curve(mine, theirs)
            yield Row.of(
                f"blobs16 n={n} k={k}..2 f4", ours, peer, timings, measure="medoid silhouette",
                quality=float(mine.loss), peer_quality=float(theirs.loss), note=sentence,
                valid=same, bar=None if small else SILHOUETTE_BAR,
            )  # fmt: skip


def same_curve(ours, theirs):
    """Whether two results are the same, and a sentence about it and about the other k."""
    same, sentence = difference(ours, theirs, count_swaps=False)
    gaps = np.asarray(ours.losses) / np.asarray(theirs.losses) - 1
    gaps = gaps[np.abs(gaps) > SAME_LOSS]
    sentence = f"best k {ours.bestk} and {theirs.bestk}: {sentence}"
    if len(gaps):
        sentence += f"; {len(gaps)} other k differ, by {gaps.min():+.1%} to {gaps.max():+.1%}"
    return same and ours.bestk == theirs.bestk, sentence


def variant_rows(bench):
    """Compare what is there for its own sake: FasterPAM is what one wants."""
    n, k = (500, 10) if bench.quick else (2000, 50)
    D, start = euclidean(blobs16(n)), initial(n, k)
    for ours in (fastpam1, alternating):
        for name, peer, timings in contest(bench, ours, start, D, rounds=3):
            mine, theirs = timings[name].result, timings[peer].result
            yield Row.of(
                f"blobs16 n={n} k={k} f4", name, peer, timings, measure="loss",
                quality=float(mine.loss), peer_quality=float(theirs.loss),
                note=difference(mine, theirs, count_swaps=False)[1],
            )  # fmt: skip
    n, k = (300, 5) if bench.quick else (1000, 10)
    D = euclidean(blobs16(n))
    calls = {
        "pam": lambda: pam(D, k, n_cpu=1),
        "kmedoids.pam(D)": lambda: bench.peer("kmedoids").pam(D, k),
    }
    timings = compare(calls, bench.quick)
    mine, theirs = (timing.result for timing in timings.values())
    yield Row.of(
        f"blobs16 n={n} k={k} f4", *calls, timings, measure="loss",
        quality=float(mine.loss), peer_quality=float(theirs.loss),
        note=difference(mine, theirs, count_swaps=False)[1],
    )  # fmt: skip


def silhouette_rows(bench):
    """Average the silhouettes of a given clustering."""
    theirs = bench.peer("kmedoids").silhouette
    from sklearn.metrics import silhouette_score

    n, k = (1000, 20) if bench.quick else (5000, 50)
    D = euclidean(blobs16(n))
    labels = np.argmin(D[:, initial(n, k)], axis=1)
    calls = {
        "silhouette": lambda: silhouette(D, labels, n_cpu=1)[0],
        "kmedoids.silhouette": lambda: theirs(D, labels, n_cpu=1)[0],
        "scikit-learn": functools.partial(silhouette_score, D, labels, metric="precomputed"),
    }
    timings = compare(calls, bench.quick)
    ours, *peers = calls
    for peer in peers:
        mine, other = (float(timings[name].result) for name in (ours, peer))
        yield Row.of(
            f"blobs16 n={n} k={k} f4", ours, peer, timings, measure="silhouette",
            quality=mine, peer_quality=other, note=f"they differ by {abs(mine - other):.0e}",
        )  # fmt: skip


SECTIONS = {
    "Medoid silhouette, same initial medoids: FasterMSC": msc_rows,
    "Medoid silhouette, same initial medoids: DynMSC": dynmsc_rows,
    "Variants of PAM": variant_rows,
    "Silhouettes": silhouette_rows,
}
