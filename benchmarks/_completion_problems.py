"""Matrices that are known at some places: ratings, products of factors, a photograph."""

from typing import NamedTuple

import numpy as np
from scipy import linalg
from sklearn.datasets import load_sample_image

_ML100K, _U1 = "completion/ml100k.npz", "completion/ml100k_u1.npz"
_SCALES = ((60_000, 10_000, 5_000_000), (200_000, 20_000, 20_000_000))  # rows, columns, draws
_LATENT = 8  # rank of the made-up ratings
LOW, HIGH = 1, 5  # stars


class Ratings(NamedTuple):
    """Triples to learn from, and triples to predict."""

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    test_rows: np.ndarray
    test_columns: np.ndarray
    test_values: np.ndarray
    shape: tuple

    def rmse(self, predicted):
        """Root mean square error of predictions of the test values, clipped to the stars."""
        return float(np.sqrt(np.mean((np.clip(predicted, LOW, HIGH) - self.test_values) ** 2)))


def held_out(bench, seed, size=None):
    """MovieLens 100K, a tenth of it held out at random; or only its first users and films."""
    with np.load(bench.file(_ML100K)) as file:
        triples = [file[name] for name in ("user", "item", "rating")]
    if size is not None:
        few = (triples[0] < size) & (triples[1] < size)
        triples = [part[few] for part in triples]
    order = np.random.default_rng(seed).permutation(len(triples[0]))
    train, test = np.split(order, [len(order) - len(order) // 10])
    return _ratings(*([part[places] for part in triples] for places in (train, test)))


def published(bench):
    """MovieLens 100K in the parts that are published as u1."""
    with np.load(bench.file(_U1)) as file:
        names = "user", "item", "rating"
        return _ratings(*([file[f"{part}_{name}"] for name in names] for part in ("tr", "te")))


def _ratings(train, test):
    shape = tuple(int(max(a.max(), b.max())) + 1 for a, b in zip(train[:2], test[:2], strict=True))
    (*pairs, values), (*test_pairs, test_values) = train, test
    return Ratings(*pairs, values.astype(float), *test_pairs, test_values.astype(float), shape)


class Known(NamedTuple):
    """Some entries of a matrix, as triples."""

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    shape: tuple

    def masked(self):
        """Return the dense matrix, NaN where nothing is known."""
        matrix = np.full(self.shape, np.nan)
        matrix[self.rows, self.columns] = self.values
        return matrix


def scale(index, share=1.0):
    """Made-up ratings in float32: few rows and columns have many of the entries.

    The popularity of rows is (i + 50)^-.6, that of columns (j + 20)^-.8; pairs that are drawn
    twice are dropped.
    """
    rng = np.random.default_rng(0)
    m, n, n_draws = (max(50, int(share * size)) for size in _SCALES[index])
    rows = _popular((np.arange(m) + 50.0) ** -0.6, n_draws, rng)
    keys = np.sort(rows * np.int64(n) + _popular((np.arange(n) + 20.0) ** -0.8, n_draws, rng))
    keys = keys[np.append(True, keys[1:] != keys[:-1])]
    rng.shuffle(keys)
    rows, columns = (part.astype(np.int32) for part in np.divmod(keys, n))
    left, right = (0.3 * rng.standard_normal((size, _LATENT), np.float32) for size in (m, n))
    values = 3.5 + 0.5 * rng.standard_normal(len(keys), np.float32)
    for c in range(_LATENT):
        values += left[rows, c] * right[columns, c]
    return Known(rows, columns, values, (m, n))


def _popular(weights, n_draws, rng):
    ends = np.cumsum(weights)
    return np.searchsorted(ends, rng.random(n_draws) * ends[-1], side="right")


class Recovery(NamedTuple):
    """A matrix of low rank as a product whose root mean square is one, and some of its entries."""

    left: np.ndarray
    right: np.ndarray
    known: Known

    @property
    def rank(self):
        return self.left.shape[1]

    def error(self, left, right):
        """Relative error of another product on all entries, in the Frobenius norm."""
        if not (np.isfinite(left).all() and np.isfinite(right).all()):
            return float("inf")
        parts = np.hstack([self.left, left]), np.hstack([self.right, -right])
        return product_norm(*parts) / float(np.sqrt(np.prod(self.known.shape)))


def product_norm(left, right):
    """Frobenius norm of ``left @ right.T``.

    It is that of a product of two triangles: no difference of squares is taken, and no
    matrix of all entries.
    """
    cores = [linalg.qr(part, mode="r")[0][: part.shape[1]] for part in (left, right)]
    return float(linalg.norm(cores[0] @ cores[1].T))


def recovery(m, n, r, oversampling, kappa, seed):
    """Return a matrix of rank r with singular values from kappa to 1, and just enough entries.

    They are `oversampling` times the degrees of freedom, r (m + n - r). Rows and columns have
    r + 1 of them at least: one with fewer could be anything.
    """
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((size, r)))[0] for size in (m, n))
    values = np.geomspace(kappa, 1, r)
    left *= values * np.sqrt(m * n) / linalg.norm(values)
    size = round(oversampling * r * (m + n - r))
    keys = rng.choice(m * n, size, replace=False)
    rows, columns = np.divmod(_spread(keys, (m, n), r + 1, rng), n)
    values = np.einsum("ij,ij->i", left[rows], right[columns])
    return Recovery(left, right, Known(rows, columns, values, (m, n)))


def _spread(keys, shape, least, rng):
    """Give every line at least so many places, and take as many from lines that have more."""
    taken = set(keys.tolist())
    for i in _poor(keys // shape[1], shape[0], least):
        _fill(taken, lambda j, i=i: i * shape[1] + j, shape[1], least, rng)
    for j in _poor(_array(taken) % shape[1], shape[1], least):
        _fill(taken, lambda i, j=j: i * shape[1] + j, shape[0], least, rng)
    return _thinned(rng.permutation(np.sort(_array(taken))), shape, len(keys), least)


def _array(keys):
    return np.fromiter(keys, np.int64, len(keys))


def _poor(places, size, least):
    return np.flatnonzero(np.bincount(places, minlength=size) < least).tolist()


def _fill(taken, key, size, least, rng):
    """Add places of a line, at random, until it has enough."""
    lacking = least - sum(key(other) in taken for other in range(size))
    for other in rng.permutation(size).tolist():
        if lacking <= 0:
            break
        lacking -= key(other) not in taken
        taken.add(key(other))


def _thinned(keys, shape, size, least):
    """Drop places of lines that have more than enough until no more than `size` are left."""
    places = np.divmod(keys, shape[1])
    counts = [np.bincount(p, minlength=s) for p, s in zip(places, shape, strict=True)]
    kept, left = np.ones(len(keys), bool), len(keys) - size
    for e, (i, j) in enumerate(zip(*map(np.ndarray.tolist, places), strict=True)):
        if left == 0:
            break
        if counts[0][i] > least and counts[1][j] > least:
            counts[0][i], counts[1][j], kept[e] = counts[0][i] - 1, counts[1][j] - 1, False
            left -= 1
    return keys[kept]


def with_outliers(problem, share, seed):
    """Return the problem with ten standard deviations of noise on a share of its entries."""
    known, rng = problem.known, np.random.default_rng(seed)
    wrong = rng.random(len(known.values)) < share
    noise = 10 * np.std(known.values) * rng.standard_normal(len(known.values))
    return problem._replace(known=known._replace(values=known.values + wrong * noise))


class Photo(NamedTuple):
    """A picture whose channels lie side by side, and the pixels that are known."""

    pixels: np.ndarray
    known: Known

    def psnr(self, filled):
        """Peak signal-to-noise ratio on what was not known, in dB; what is filled in is clipped."""
        hidden = np.ones(self.pixels.shape, bool)
        hidden[self.known.rows, self.known.columns] = False
        gaps = np.clip(filled, 0, 1)[hidden] - self.pixels[hidden]
        return float(-10 * np.log10(np.mean(gaps**2)))


def photo(name="flower.jpg", share=0.3, every=1):
    """Return a photograph with a share of its pixels, in each channel; or only every n-th row."""
    picture = load_sample_image(name)[::every, ::every] / 255
    pixels = np.hstack(np.moveaxis(picture, 2, 0))
    rows, columns = np.nonzero(np.random.default_rng(0).random(pixels.shape) < share)
    return Photo(pixels, Known(rows, columns, pixels[rows, columns], pixels.shape))
