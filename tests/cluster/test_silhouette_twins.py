"""The CUDA twins of the silhouettes do what the CPU's kernels do, one by one and in whole fits."""

import numpy as np
import pytest

from lowrank_la.cluster import (
    _cpu,
    _cuda,
    _msc_cpu,
    _msc_cuda,
    _silhouette_cpu,
    _silhouette_cuda,
    dynmsc,
    fastermsc,
    fastmsc,
    medoid_silhouette,
    pamsil,
    silhouette,
)

pytestmark = pytest.mark.usefixtures("launches")

TWINS = [(_cpu, _msc_cpu, _silhouette_cpu), (_cuda, _msc_cuda, _silhouette_cuda)]
close = np.testing.assert_allclose


def problem(n, k, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.uniform(0.1, 1, (n, n)).astype(dtype)
    np.fill_diagonal(rows, 0)
    return rows, rng.choice(n, k, replace=False), rng.integers(1, 4, n).astype(float)


class State:
    """A search's state on one device."""

    def __init__(self, base, kernels, rows, medoids, weights):
        xp, (n, k) = base.xp, (len(rows), len(medoids))
        self.base, self.kernels, self.rows = base, kernels, base.to_device(rows)
        self.medoids = xp.array(medoids, dtype=np.int64)
        self.served, self.slots = xp.empty((3, n), rows.dtype), xp.empty((3, n), np.int32)
        self.terms, self.removal = xp.zeros((n, 8)), xp.empty(k)
        self.terms[:, 6] = xp.asarray(weights)
        kernels.assign(self.rows, *self.state, 1)
        kernels.removal_loss(self.slots, self.terms, self.removal)

    @property
    def state(self):
        return self.medoids, self.served, self.slots, self.terms

    @property
    def loss(self):
        return float((self.terms[:, 6] * self.terms[:, 3]).sum())

    def eager_swaps(self):
        lo, in_vain, loss, total, n = 0, 0, self.loss, 0, len(self.rows)
        while in_vain < n:
            lo, in_vain, n_swap, loss = self.kernels.eager_swaps(
                lo % n, in_vain, loss, 1e-12 * n, self.rows, *self.state, self.removal, 1
            )
            total += n_swap
            assert loss == pytest.approx(self.loss, abs=1e-9)
        return total

    def swap(self, candidate, slot):
        self.kernels.swap(candidate, slot, self.rows, *self.state, self.removal)

    def remove(self, slot):
        self.medoids[slot] = self.medoids[-1]
        self.medoids = self.medoids[:-1].copy()
        self.kernels.remove(slot, self.rows, *self.state, 1)
        self.removal = self.base.xp.empty(len(self.medoids))
        self.kernels.removal_loss(self.slots, self.terms, self.removal)

    def host(self):
        arrays = *self.state, self.removal
        return [self.base.to_host(array) for array in arrays]

    def check(self):
        """Compare with what the definitions give."""
        medoids, served, slots, terms, removal = self.host()
        rows, k = self.base.to_host(self.rows), len(medoids)
        costs = rows[medoids].T.astype(np.float64)
        order = np.sort(np.c_[costs, np.full((len(rows), 2), np.inf)], axis=1)
        close(served, order[:, :3].T)
        for i in range(min(3, k)):
            close(costs[np.arange(len(rows)), slots[i]], order[:, i])
        close(terms[:, 3], order[:, 0] / order[:, 1])
        for slot in range(k if k > 2 else 0):
            left = np.sort(np.delete(costs, slot, axis=1), axis=1)
            change = (terms[:, 6] * (left[:, 0] / left[:, 1] - terms[:, 3])).sum()
            assert removal[slot] == pytest.approx(change, abs=1e-9)


def pair(*arguments):
    return [State(base, kernels, *arguments) for base, kernels, _ in TWINS]


def assert_same(one, other):
    for value, found in zip(one.host(), other.host(), strict=True):
        close(found, value, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "k"), [(13, 2), (18, 5), (9, 9)])
def test_assign_swap_and_remove(n, k, dtype):
    one, other = states = pair(*problem(n, k, dtype))
    candidates = np.setdiff1d(np.arange(n), one.medoids)
    for step in range(2 * k):
        for state in states:
            state.check()
            if len(candidates):
                state.swap(int(candidates[step % len(candidates)]), step % k)
        candidates = np.setdiff1d(np.arange(n), one.medoids)
        assert_same(one, other)
    for _ in range(k - 2):
        for state in states:
            state.remove(1)
            state.check()
        assert_same(one, other)


def test_a_newcomer_serves_itself_among_duplicates():
    one, other = states = pair(np.zeros((16, 16)), np.arange(5), np.ones(16))
    for candidate, slot in ((9, 4), (12, 0), (15, 4), (13, 1), (10, 2)):
        for state in states:
            state.swap(candidate, slot)
            medoids, _, slots, *_ = state.host()
            np.testing.assert_array_equal(slots[0, medoids], np.arange(5))
        assert_same(one, other)


def test_whole_searches_where_much_is_free():
    rng = np.random.default_rng(19)
    rows = np.where(rng.random((12, 12)) < 0.5, 0, rng.integers(0, 9, (12, 12))).astype(float)
    np.fill_diagonal(rows, 0)
    start = rng.choice(12, 5, replace=False)
    for solve in (fastermsc, fastmsc, pamsil):
        one, other = (solve(rows, start, device=device) for device in ("cpu", "cuda"))
        np.testing.assert_array_equal(other.medoids, one.medoids)
        np.testing.assert_array_equal(other.labels, one.labels)
        np.testing.assert_array_equal(other.labels[other.medoids], np.arange(5))
        close(other.history, one.history, rtol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "k"), [(13, 2), (18, 5)])
def test_eager_and_best_swaps(n, k, dtype):
    one, other = pair(*problem(n, k, dtype))
    deltas, places = _msc_cpu.best_swaps(one.rows, *one.state[1:], one.removal, 1)
    found, at = _msc_cuda.best_swaps(other.rows, *other.state[1:], other.removal, 1)
    others = np.setdiff1d(np.arange(n), one.medoids)
    close(_cuda.to_host(found)[others], deltas[others], atol=1e-12)
    np.testing.assert_array_equal(_cuda.to_host(at)[others], places[others])
    assert one.eager_swaps() == other.eager_swaps() > 0
    other.check()
    assert_same(one, other)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_silhouettes_and_their_swaps(dtype):
    rows, medoids, weights = problem(14, 3, dtype)
    found = []
    for base, kernels, average in TWINS:
        state = State(base, kernels, rows, medoids, weights)
        device = [base.to_device(a) for a in (weights, rows.diagonal().astype(float), rows.T)]
        weight, diagonal, turned = device
        labels, sums, same = state.slots[0].copy(), base.xp.empty((3, 14)), base.xp.empty((3, 14))
        average.member_sums(state.rows, labels, weight, sums, 1)
        average.object_sums(turned, labels, weight, same, 1)
        sizes = base.xp.bincount(labels, weight, 3)
        values = average.silhouettes(sums, sizes, labels, weight, diagonal, 1)
        totals, places = average.try_swaps(
            state.rows, state.served, state.slots, weight, diagonal, sums, 1
        )
        found.append([base.to_host(a) for a in (sums, same, values, totals, places)])
    others = np.setdiff1d(np.arange(14), medoids)
    for i, (value, other) in enumerate(zip(*found, strict=True)):
        chosen = others if i > 2 else slice(None)
        close(other[chosen], value[chosen], rtol=1e-8, atol=1e-12)
    close(found[1][0], found[1][1], rtol=1e-8)


@pytest.mark.filterwarnings("ignore:.*invalid value:RuntimeWarning")  # the simulator's NumPy
@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_what_has_no_ratio_is_found(value):
    rows, _, _ = problem(9, 3)
    rows[7, 5] = value
    for solve in (fastermsc, fastmsc, pamsil, dynmsc):
        with pytest.raises(ValueError, match="diss"):
            solve(rows, 3, device="cuda")


@pytest.mark.parametrize("k", [1, 2, 4, 11])
def test_whole_searches(k):
    rows, _, weights = problem(11, k)
    for solve, options in (
        (fastermsc, {}),
        (fastmsc, {}),
        (pamsil, {}),
        (dynmsc, {"minimum_k": 1}),
    ):
        one, other = (
            solve(rows, k, init="first", sample_weight=weights, device=device, **options)
            for device in ("cpu", "cuda")
        )
        assert other.loss == pytest.approx(one.loss, rel=1e-8)
        assert (other.n_swap, other.n_iter) == (one.n_swap, one.n_iter)
        np.testing.assert_array_equal(other.medoids, one.medoids)
        np.testing.assert_array_equal(other.labels, one.labels)
        assert isinstance(other.labels, np.ndarray)
        close(other.history, one.history, rtol=1e-8)


def test_scores():
    rows, meds, weights = problem(11, 3)
    labels = np.arange(11) % 3
    for form in (rows, np.asfortranarray(rows)):
        for score, argument in ((silhouette, labels), (medoid_silhouette, meds)):
            one, other = (
                score(form, argument, True, sample_weight=weights, device=device)
                for device in ("cpu", "cuda")
            )
            assert other[0] == pytest.approx(one[0], rel=1e-8)
            close(other[1], one[1], rtol=1e-8, atol=1e-12)
