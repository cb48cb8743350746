"""k-medoids of more objects than a matrix of distances could hold.

Each side draws its own random start, and its own sample, in every round: the
rounds are seeds, times are medians of them, and losses are compared by their
means. All losses are of all objects, whatever a package says of its own.
"""

import functools
import tempfile
from pathlib import Path

import numpy as np

from lowrank_la.cluster import CLARA, CLARANS, KMedoids, OneBatchKMedoids

from ._harness import Row, compare, fresh_peak
from ._kmedoids_problems import blobs16, by_seed, pixels, true_loss

ONEBATCH = "OneBatchPAM"
PIXEL_LOSS, PIXEL_MB = 1.606e6, 200  # 200,000 pixels, k = 100
ONEBATCH_LOSS, CLARA_LOSS = 1.003, 1.01  # in units of the peer's


def contestants(X, *named):
    """Warm up what compiles on a few rows, and return what takes a new seed every round.

    `named` are tuples of a name and a function of X and a seed that returns centres.
    """
    for _, centres in named:
        centres(X[:2000], 0)
    return {name: by_seed(lambda seed, c=centres: c(X, seed)) for name, centres in named}


def losses(X, timing):
    """Return the true loss of each round."""
    return np.array([true_loss(X, centres) for centres in timing.result])


def gap_note(mine, theirs):
    """Say how the losses of ours and of the peer compare, and how far seeds are apart."""
    spread = max(np.abs(found / found.mean() - 1).max() for found in (mine, theirs))
    return (
        f"loss {mine.mean() / theirs.mean() - 1:+.2%}, means of {len(mine)} seeds, "
        f"each within {spread:.1%} of them"
    )


def centres_of(model):
    """Return a function that fits such a model."""
    return lambda X, seed: model(seed).fit(X).cluster_centers_


# --- memory

PEAK = "peak memory of a fresh process, beyond imports"
IMPORTS = """
import numba, numpy as np, onebatch, scipy.spatial.distance, sklearn.cluster, sklearn.metrics
from lowrank_la.cluster import KMedoids, OneBatchKMedoids
"""


def peaks(X, *calls):
    """Run each call on X in a fresh process; return its CPU seconds and MB beyond the imports."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        np.save(path, X)
        _, imports = fresh_peak(IMPORTS)
        for call in calls:
            cpu_s, peak = fresh_peak(f"{IMPORTS}\nX = np.load({str(path)!r})\n{call}")
            yield cpu_s, None if peak is None else peak - imports


def pixel_rows(bench):
    """Search among all pixels, exactly, in the time of a method that looks at a sample."""
    OneBatchPAM = bench.peer("onebatch").OneBatchPAM
    from sklearn.cluster import KMeans

    X, k = pixels(bench, 4000 if bench.quick else 200_000), 10 if bench.quick else 100
    one, two, kmeans = "matrix_free", "matrix_free, 2 starts", "KMeans (its centres)"
    free = functools.partial(KMedoids, k, method="matrix_free")
    calls = contestants(
        X,
        (one, centres_of(lambda s: free(random_state=s))),
        (two, centres_of(lambda s: free(random_state=s, n_init=2))),
        (ONEBATCH, centres_of(lambda s: OneBatchPAM(n_medoids=k, random_state=s))),
        (kmeans, centres_of(lambda s: KMeans(k, random_state=s))),
    )
    timings, problem = compare(calls, rounds=2 if bench.quick else 3), f"pixels n={len(X)} k={k}"
    found = {name: losses(X, timing) for name, timing in timings.items()}
    for ours, peer, bar in ((two, ONEBATCH, 0.5), (one, ONEBATCH, None), (one, kmeans, None)):
        mine, theirs = found[ours], found[peer]
        bounds = (
            f"; ours {mine.mean():.0f}, single ones to {mine.max():.0f}, {PIXEL_LOSS:.0f} allowed"
        )
        yield Row.of(
            problem, ours, peer, timings, measure="mean true loss",
            quality=float(mine.mean()), peer_quality=float(theirs.mean()),
            valid=bench.judge(mine.mean() <= PIXEL_LOSS) if bar else None, bar=bench.bar(bar),
            note=gap_note(mine, theirs) + bounds * bool(bar),
        )  # fmt: skip
    mine, theirs = peaks(
        X,
        f"KMedoids({k}, method='matrix_free', random_state=0, n_init=2).fit(X)",
        f"onebatch.OneBatchPAM(n_medoids={k}, random_state=0).fit(X)",
    )
    if None not in mine:
        yield Row.memory(
            problem, two, "allowed", mine, (None, PIXEL_MB), bar=bench.bar(1.0),
            note=f"{PEAK}; {ONEBATCH}: {theirs[1]:.0f} MB",
        )  # fmt: skip


def onebatch_rows(bench):
    """Compare two programs of one method."""
    OneBatchPAM = bench.peer("onebatch").OneBatchPAM
    X, k = pixels(bench, 10_000 if bench.quick else None), 20
    ours = "OneBatchKMedoids"
    calls = contestants(
        X,
        (ours, centres_of(lambda s: OneBatchKMedoids(k, random_state=s))),
        (ONEBATCH, centres_of(lambda s: OneBatchPAM(n_medoids=k, random_state=s))),
    )
    timings, problem = compare(calls, rounds=2 if bench.quick else 5), f"pixels n={len(X)} k={k}"
    mine, theirs = (losses(X, timings[name]) for name in (ours, ONEBATCH))
    yield Row.of(
        problem, ours, ONEBATCH, timings, measure="mean true loss",
        quality=float(mine.mean()), peer_quality=float(theirs.mean()),
        valid=bench.judge(mine.mean() <= ONEBATCH_LOSS * theirs.mean()),
        note=gap_note(mine, theirs), bar=bench.bar(6),
    )  # fmt: skip
    mine, theirs = peaks(
        X,
        f"OneBatchKMedoids({k}, random_state=0).fit(X)",
        f"onebatch.OneBatchPAM(n_medoids={k}, random_state=0).fit(X)",
    )
    if None not in mine:
        yield Row.memory(
            problem, ours, ONEBATCH, mine, theirs, note=PEAK, bar=bench.bar(2),
        )  # fmt: skip


# --- CLARA


def composed_clara(rust, X, k, seed):
    """CLARA as a user of kmedoids and scikit-learn would write it.

    The best medoids so far are put into the next sample, and the search begins
    with them there, which finds lower losses than random starts do.
    """
    from sklearn.metrics import pairwise_distances, pairwise_distances_argmin_min

    rng = np.random.default_rng(seed)
    best, best_loss = np.empty(0, int), np.inf
    for _ in range(5):
        sample = np.union1d(rng.choice(len(X), 80 + 4 * k, replace=False), best)
        start = np.searchsorted(sample, best)
        if not len(start):
            start = rng.choice(len(sample), k, replace=False)
        found = rust(pairwise_distances(X[sample]), start, n_cpu=1)
        medoids = sample[found.medoids]
        _, distances = pairwise_distances_argmin_min(X, X[medoids])
        loss = distances.sum(dtype=np.float64)
        if loss < best_loss:
            best, best_loss = medoids, loss
    return X[best]


def clara_rows(bench):
    rust = bench.peer("kmedoids").fasterpam
    n, k = (20_000, 10) if bench.quick else (1_000_000, 50)
    X, ours, peer = blobs16(n), "CLARA", "scikit-learn + kmedoids"
    calls = contestants(
        X,
        (ours, centres_of(lambda s: CLARA(k, random_state=s))),
        (peer, lambda X, seed: composed_clara(rust, X, k, seed)),
    )
    timings = compare(calls, rounds=2 if bench.quick else 9)
    mine, theirs = (losses(X, timings[name]) for name in (ours, peer))
    yield Row.of(
        f"blobs16 n={n} k={k}", ours, peer, timings, measure="mean true loss",
        quality=float(mine.mean()), peer_quality=float(theirs.mean()),
        valid=bench.judge(mine.mean() <= CLARA_LOSS * theirs.mean()),
        note=gap_note(mine, theirs), bar=bench.bar(6),
    )  # fmt: skip


def clarans_rows(bench):
    OneBatchPAM = bench.peer("onebatch").OneBatchPAM
    n, k = (2000, 10) if bench.quick else (20_000, 50)
    X, ours = blobs16(n), "CLARANS"
    calls = contestants(
        X,
        (ours, centres_of(lambda s: CLARANS(k, random_state=s))),
        (ONEBATCH, centres_of(lambda s: OneBatchPAM(n_medoids=k, random_state=s))),
    )
    timings = compare(calls, rounds=3)
    mine, theirs = (losses(X, timings[name]) for name in (ours, ONEBATCH))
    yield Row.of(
        f"blobs16 n={n} k={k}", ours, ONEBATCH, timings, measure="mean true loss",
        quality=float(mine.mean()), peer_quality=float(theirs.mean()),
        note=gap_note(mine, theirs),
    )  # fmt: skip


SECTIONS = {
    "No matrix: exact, against a sampled method": pixel_rows,
    "No matrix: one batch": onebatch_rows,
    "No matrix: CLARA": clara_rows,
    "No matrix: CLARANS": clarans_rows,
}
