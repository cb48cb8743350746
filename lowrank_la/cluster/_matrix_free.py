"""FasterPAM from coordinates: the exact search without a matrix of distances.

The search of `_pam`, candidate by candidate and swap by swap, in O(n) memory.
Equal rows are merged into one point of their summed weight. The points are
ordered so that each block of 64 lies close together: a candidate is compared
with those blocks only whose box is nearer to it than the second nearest medoid
is to some object inside. The candidates of a block, and of each eighth of it,
are tried as a box before they are tried as points: an upper bound on what any
of them could gain.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np

from .._kernels.distances import exponent_of
from .._support.cuda import twin
from ._objects import distinct_rows
from ._solve import KMedoidsResult

METRICS = ("euclidean", "sqeuclidean", "cityblock", "chebyshev")  # numbered as in the kernels
_WIDTH, _GROUP = 64, 8  # points to a block, and to the smaller boxes within
_SHARE, _MANY = 0.5, 2000  # of all distances, of how many points, is a reason to warn
_STRETCH = 64  # blocks of candidates after which the clock is read
_ROWS = 65536  # whose distances are added up at a time


@dataclass(frozen=True, eq=False, kw_only=True)
class MatrixFreeResult(KMedoidsResult):
    """What the matrix-free search tells besides the clustering.

    Attributes
    ----------
    share : float
        Distances computed in trying candidates, as a share of those that a
        search with all distances at hand would have looked up. Beyond about a
        half, boxes prune too little for this search to be worth while.
    n_distinct : int
        Number of distinct rows.
    """

    share: float
    n_distinct: int


def matrix_free(X, medoids, weights, metric, rng, run, device="cpu", n_fixed=0):
    """FasterPAM from given medoids, without a matrix.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        float32 or float64, finite, in C order, on the host.
    medoids : ndarray of shape (k,), int64
        Distinct rows with positive weights.
    weights : ndarray of shape (n,), float64
        A row of weight zero never becomes a medoid.
    metric : str
        One of `METRICS`.
    rng : numpy.random.Generator
        Draws the order in which blocks of candidates are tried.
    run : Run
        The clock is read every few thousand candidates.
    device : str, default="cpu"
        "cpu" or "cuda".
    n_fixed : int, default=0
        How many of the first medoids are never swapped.

    Returns
    -------
    result : MatrixFreeResult

    Raises
    ------
    ValueError
        If the loss is too large for a float64.

    Notes
    -----
    The result is the one that :func:`fasterpam` finds if it tries the
    candidates in the same order, as far as the distances are the same: here
    they are computed and kept in the precision of X. Memory is O(n); time is at
    worst that of computing all distances in each pass, and far less where
    n is large and d is small.
    """
    search = _Search(X, medoids, weights, METRICS.index(metric), rng, device, n_fixed)
    _eager_swaps(search, run)
    labels, chosen = search.labels(), search.chosen()
    labels[chosen] = np.arange(len(chosen))  # also where several slots share a point
    return MatrixFreeResult(
        loss=search.unscaled(_true_loss(X, chosen, labels, search)),
        labels=labels,
        medoids=chosen,
        n_iter=len(run.history),
        n_swap=run.n_swap,
        converged=run.converged,
        history=np.array(run.history),
        share=search.share(),
        n_distinct=search.n,
    )


def _eager_swaps(search, run):
    """Swap as soon as a swap improves, until a whole round has found none."""
    in_vain, first = 0, True
    while not run.over:
        position, n_swap = 0, 0
        while position < search.n_blocks and in_vain < search.n and not run.late:
            position, in_vain, swaps = search.go_on(position, in_vain)
            n_swap += swaps
            if first:
                _warn_of_useless_boxes(search)
            first = False
        search.add_up()
        run.end_pass(search.unscaled(search.loss), n_swap, in_vain >= search.n)


def _warn_of_useless_boxes(search):
    if search.n >= _MANY and search.share() > _SHARE:
        warnings.warn(
            f"nearly all distances are being computed ({search.share():.0%}, with those to boxes): "
            "groups of rows of X are too close to each other for method='matrix_free' to save "
            "time; CLARA and OneBatchKMedoids are faster on such data",
            stacklevel=2,
        )


class _Search:
    """Points in blocks, and what the search keeps about every point and every medoid."""

    def __init__(self, X, medoids, weights, metric, rng, device, fixed):
        self.kernels, self.metric, self.weights = (
            twin(__package__, device, "_matrix_free"),
            metric,
            weights,
        )
        self.exponent, self.weight_exponent = exponent_of(X), exponent_of(weights)
        order = np.argsort(weights <= 0, kind="stable")  # rows that may be medoids stand for others
        first, point = distinct_rows(X[order])
        self.rows = order[first]
        points = np.ldexp(X[self.rows], -self.exponent)
        self.given, self.k, self.n = medoids, len(medoids), len(points)
        ranked = spatial_order(points)
        self.rows = self.rows[ranked]
        self.place = np.empty(len(X), np.int64)  # of the point of each row
        self.place[order] = np.argsort(ranked)[point]
        self._lay_out(points[ranked], np.ldexp(weights, -self.weight_exponent))
        self._start(fixed)
        self.order = self.kernels.to_device(rng.permutation(self.n_blocks))
        self.work, self.tried = self.kernels.xp.zeros(1, np.int64), 0

    def _lay_out(self, points, weights):
        """Put the points into blocks."""
        self.n_blocks, d = -(-self.n // _WIDTH), points.shape[1]
        padding = self.n_blocks * _WIDTH - self.n
        padded = np.append(points, np.tile(points[-1:], (padding, 1)), axis=0)
        coords = padded.reshape(self.n_blocks, _WIDTH, d).transpose(0, 2, 1)
        boxes = coords.min(axis=2).T, coords.max(axis=2).T
        self.space = tuple(map(self.kernels.to_device, (coords, *boxes)))
        sums = np.bincount(self.place, weights, self.n_blocks * _WIDTH).reshape(-1, _WIDTH)
        self.point_weights = self.kernels.to_device(sums)
        self.points = points

    def _start(self, fixed):
        kernels, places = self.kernels, self.place[self.given]
        centres, fixed = self.points[places], np.arange(self.k) < fixed
        if self.k == 1:  # a second one, farther from every point than any other point is
            far = self.points.max(axis=0) + 2 * np.ptp(self.points, axis=0)
            centres, fixed = np.append(centres, far[None], axis=0), np.append(fixed, True)
        xp, empty, shape, dtype = (
            kernels.xp,
            kernels.empty,
            (self.n_blocks, _WIDTH),
            self.points.dtype,
        )
        self.medoids, self.fixed = xp.asarray(places), kernels.to_device(fixed)
        self.centres = xp.array(centres.T, order="C")
        numbers, slots = [empty(shape, dtype) for _ in range(3)], empty(shape, np.int32)
        self.state = *numbers, slots, self.point_weights
        self.runner_up, self.largest = empty(shape, np.int32), xp.empty(self.n_blocks, dtype)
        self.removal = xp.empty(len(centres))
        args = self.centres, self.state, self.runner_up, self.largest
        kernels.assign(self.n, self.metric, self.space[0], *args)
        self.add_up()

    def add_up(self):
        """Make the sums afresh: swaps only update them, and rounding errors outlive them."""
        self.kernels.removal_loss(self.n, self.state, self.fixed, self.removal)
        self.loss = float((self.point_weights * self.state[0]).sum())

    def go_on(self, position, in_vain):
        """Try some blocks of candidates from a position on; return where the search stands."""
        stop = min(position + _STRETCH, self.n_blocks)
        reached, in_vain, n_swap, self.loss = self.kernels.eager_swaps(
            position, stop, in_vain, self.loss, self.order, self.n, self.metric, self.space,
            self.medoids, self.centres, self.state, self.runner_up, self.largest, self.removal,
            self.fixed, self.work,
        )  # fmt: skip
        self.tried += (reached - position) * _WIDTH
        return reached, in_vain, n_swap

    def labels(self):
        """Slot of the medoid of each row."""
        return self.kernels.to_host(self.state[3]).ravel()[self.place]

    def chosen(self):
        """Rows of the medoids: those given, where nothing was swapped."""
        places = self.kernels.to_host(self.medoids)
        kept = places == self.place[self.given]
        return np.where(kept, self.given, self.rows[places])

    def share(self):
        """Share of all distances from the candidates tried that was computed."""
        return int(self.work[0]) / max(1, self.tried * self.n)

    def unscaled(self, loss):
        """Return a loss of the data as they were given."""
        power = 2 if METRICS[self.metric] == "sqeuclidean" else 1
        try:
            return math.ldexp(loss, power * int(self.exponent) + int(self.weight_exponent))
        except OverflowError:
            raise ValueError("X has distances that are too large to be added up") from None


def spatial_order(points):
    """Order in which each run of 64 points, and of 8 within, lies close together.

    A k-d tree whose cells are whole blocks: cut where they are widest.
    """
    order, todo = np.arange(len(points)), [(0, len(points))]
    while todo:
        lo, hi = todo.pop()
        if hi - lo <= _WIDTH:
            continue
        middle = (-(-(hi - lo) // _WIDTH) + 1) // 2 * _WIDTH
        members = order[lo:hi]
        here = points[members]
        widest = np.ptp(here, axis=0).argmax()
        order[lo:hi] = members[np.argpartition(here[:, widest], middle - 1)]
        todo += [(lo, lo + middle), (lo + middle, hi)]
    n_whole = len(order) // _WIDTH * _WIDTH
    return np.append(_refined(points, order[:n_whole]), order[n_whole:])


def _refined(points, order):
    """Cut whole blocks as the tree above them was, all at once, down to runs of 8."""
    cells = order.reshape(-1, _WIDTH)
    while cells.shape[1] > _GROUP and cells.size:
        here, half = points[cells], cells.shape[1] // 2
        widest = np.ptp(here, axis=1).argmax(axis=1)
        keys = np.take_along_axis(here, widest[:, None, None], axis=2)[..., 0]
        parts = np.argpartition(keys, half, axis=1)
        cells = np.take_along_axis(cells, parts, axis=1).reshape(-1, half)
    return cells.ravel()


def _true_loss(X, medoids, labels, search):
    """Loss of rows and weights that are scaled as the search is, added up in float64."""
    total, metric = 0.0, METRICS[search.metric]
    centres = np.ldexp(X[medoids].astype(np.float64), -search.exponent)
    for lo in range(0, len(X), _ROWS):
        rows = slice(lo, lo + _ROWS)
        gaps = np.abs(
            np.ldexp(X[rows].astype(np.float64), -search.exponent) - centres[labels[rows]]
        )
        served = gaps.max(axis=1) if metric == "chebyshev" else gaps.sum(axis=1)
        if "euclidean" in metric:
            served = np.einsum("ij,ij->i", gaps, gaps)
        served = np.sqrt(served) if metric == "euclidean" else served
        total += (np.ldexp(search.weights[rows], -search.weight_exponent) * served).sum()
    return float(total)
