"""The tour, ``python -m lowrank_la``: every capability on real data, a table and pictures."""

import argparse
import time
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.fft import dctn, idctn
from scipy.ndimage import gaussian_filter
from sklearn.base import clone
from sklearn.datasets import load_digits, load_sample_images
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier, kneighbors_graph
from sklearn.preprocessing import normalize
from sklearn.utils import all_estimators

from .cluster import DynMSC, KMedoids, OneBatchKMedoids
from .completion import LowRankImputer
from .decomposition import CUR
from .embedding import FastRP
from .linear_model import LpRegression, SketchedLinearRegression
from .sampling import CoresetEstimator, RowSampler
from .sensing import Measurements, scaled_gd
from .transport import SinkhornTransport

_TILE, _SQUARE = 4, 7  # pixels on a side


def _edit_distance(a, b):
    """Levenshtein distance of two strings."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (letter != other))
    return row[-1]


class Row(NamedTuple):
    """What the table says of a stop: how much, how long, and what came out."""

    what: str
    objects: int
    passes: int
    seconds: float
    outcome: str


def _timed_fit(model, X, columns=None, **metadata):
    few = {name: values[:200] for name, values in metadata.items()}
    some = X[:200] if columns is None else X[:200, columns]
    clone(model).fit(some, **few)  # compiles what is not in the cache yet
    start = time.perf_counter()
    model.fit(X, **metadata)
    return time.perf_counter() - start


def _row(what, model, seconds, quality):
    """Row of a clustering."""
    k = len(model.medoid_indices_)
    outcome = f"{k} medoids, loss {model.inertia_:,.0f}, {quality}"
    return Row(what, len(model.labels_), model.n_iter_, seconds, outcome)


def kmedoids_digits(figure):
    """Cluster images of digits by city-block distance: the medoids are images themselves."""
    digits = load_digits()
    model = KMedoids(20, metric="cityblock", random_state=0)
    seconds = _timed_fit(model, digits.data.astype(np.float32))
    figure.set_size_inches(10, 2.6)
    axes = figure.subplots(2, 10)
    order = np.argsort(digits.target[model.medoid_indices_])
    for axis, i in zip(axes.flat, model.medoid_indices_[order], strict=True):
        axis.imshow(digits.images[i], cmap="gray_r")
        axis.set_axis_off()
    agreement = adjusted_rand_score(digits.target, model.labels_)
    return _row("digits, city-block", model, seconds, f"adjusted Rand index {agreement:.2f}")


def kmedoids_photo(figure):
    """Choose the colours of a photo among all of its pixels, without a matrix of distances."""
    photo = load_sample_images().images[1].astype(np.float32) / 255
    pixels = photo.reshape(-1, 3)
    model = KMedoids(16, method="matrix_free", random_state=0)
    seconds = _timed_fit(model, pixels)
    painted = model.cluster_centers_[model.labels_].reshape(photo.shape)
    axes = figure.subplots(1, 2)
    titles = f"{len(np.unique(pixels, axis=0)):,} colours", "16 of them"
    for axis, image, title in zip(axes, (photo, painted), titles, strict=True):
        axis.imshow(image)
        axis.set_title(title)
        axis.set_axis_off()
    error = np.sqrt(np.mean((painted - photo) ** 2))
    return _row("pixels of a photo, no matrix", model, seconds, f"rms error {error:.3f} of 1")


def kmedoids_tiles(figure):
    """Rebuild a photo from 100 of its tiles, chosen in view of one batch of them."""
    photo = load_sample_images().images[0].astype(np.float32) / 255
    rows, columns = (length // _TILE for length in photo.shape[:2])
    photo = photo[: rows * _TILE, : columns * _TILE]
    tiles = photo.reshape(rows, _TILE, columns, _TILE, 3).swapaxes(1, 2)
    model = OneBatchKMedoids(100, random_state=0)
    seconds = _timed_fit(model, tiles.reshape(rows * columns, -1))
    rebuilt = model.cluster_centers_[model.labels_].reshape(tiles.shape)
    rebuilt = rebuilt.swapaxes(1, 2).reshape(photo.shape)
    axes = figure.subplots(1, 2)
    titles = f"{rows * columns:,} tiles of {_TILE} x {_TILE} pixels", "rebuilt from 100 of them"
    for axis, image, title in zip(axes, (photo, rebuilt), titles, strict=True):
        axis.imshow(image)
        axis.set_title(title)
        axis.set_axis_off()
    error = np.sqrt(np.mean((rebuilt - photo) ** 2))
    return _row("tiles of a photo, one batch", model, seconds, f"rms error {error:.3f} of 1")


def kmedoids_number(figure):
    """Let the silhouette choose the number of clusters."""
    digits = load_digits()
    model = DynMSC(20, metric="cityblock", random_state=0)
    seconds = _timed_fit(model, digits.data.astype(np.float32))
    figure.set_size_inches(10, 4)
    curve, images = figure.subfigures(1, 2)
    axis, best = curve.subplots(), model.silhouettes_.max()
    axis.axvline(model.n_clusters_, color="0.85", zorder=0)
    axis.plot(model.k_values_, model.silhouettes_, "o-", markersize=4)
    axis.plot(model.n_clusters_, best, "o", color="C3", label=f"{model.n_clusters_} medoids")
    axis.set(xlabel="medoids", ylabel="average medoid silhouette", xticks=range(2, 21, 2))
    axis.legend(loc="lower right")
    axis.spines[["top", "right"]].set_visible(False)
    order = np.argsort(digits.target[model.medoid_indices_])
    axes = images.subplots(-(-model.n_clusters_ // 5), 5, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, i in zip(axes.flat, model.medoid_indices_[order], strict=False):
        axis.imshow(digits.images[i], cmap="gray_r")
    return _row("digits, how many clusters?", model, seconds, f"silhouette {best:.2f}")


def kmedoids_strings(figure):
    """Cluster names by edit distance: any function of two objects will do."""
    names = [name for name, _ in all_estimators()]
    model = KMedoids(12, metric=_edit_distance, init="build")
    seconds = _timed_fit(model, names)
    sizes = np.bincount(model.labels_)
    order = np.argsort(sizes)
    axis = figure.subplots()
    bars = axis.barh(np.array(model.cluster_centers_)[order], sizes[order], color="0.85")
    members = [", ".join(np.array(names)[model.labels_ == slot][:4]) for slot in order]
    axis.bar_label(bars, members, label_type="edge", fontsize=7, padding=4)
    axis.set(xlim=(0, 2.2 * sizes.max()), xlabel="names in the cluster")
    axis.set_title("scikit-learn's estimators around 12 of them, by edit distance")
    axis.spines[["top", "right"]].set_visible(False)
    return _row("names, edit distance", model, seconds, f"largest cluster {sizes.max()}")


def fastrp_digits(figure):
    """Embed the nodes of a graph: images of digits that name those most like them."""
    digits = load_digits()
    graph = kneighbors_graph(digits.data, 8)
    model = FastRP(32, weights=(1, 1), refine=4, random_state=0)
    seconds = _timed_fit(model, graph.maximum(graph.T).tocsr(), slice(200))
    E, count = normalize(model.embedding_), 10
    cosines = E @ E.T
    np.fill_diagonal(cosines, 0)
    axes = figure.subplots(4, count + 1)
    for row, i in zip(axes, (0, 1, 2, 3), strict=True):
        for axis, j in zip(row, [i, *np.argsort(-cosines[i])[:count]], strict=True):
            axis.imshow(digits.images[j], cmap="gray_r" if j != i else "Reds")
            axis.set_axis_off()
    figure.suptitle("in red, a node; beside it, the nodes whose embeddings are the nearest")
    told = cross_val_score(LogisticRegression(C=100, max_iter=2000), E, digits.target, cv=5)
    outcome = f"labels told {told.mean():.1%}"
    return Row("FastRP of a graph of digits", len(E), model.refine, seconds, outcome)


def transport_colours(figure):
    """Let two photos exchange their colours: what moves a thousand pixels of each moves all."""
    photos = [photo[::2, ::2] / 255 for photo in load_sample_images().images]
    rng = np.random.default_rng(0)
    pixels = [rng.permutation(photo.reshape(-1, 3))[:1000] for photo in photos]
    model = SinkhornTransport(reg=0.1)
    mixed = np.stack(pixels, axis=1).reshape(-1, 3)  # so that both are among the first
    seconds = _timed_fit(model, mixed, sample_domain=np.tile([1, -1], 1000))
    height = len(photos[0])
    there = model.transform(photos[0].reshape(-1, 3), sample_domain=np.ones(photos[0].size // 3))
    back = model.inverse_transform(photos[1].reshape(-1, 3))
    figure.set_size_inches(10, 6.9)
    for row, photo, moved in zip(figure.subplots(2, 2), photos, (there, back), strict=True):
        row[0].imshow(photo)
        row[1].imshow(moved.reshape(height, -1, 3).clip(0, 1))
        for axis in row:
            axis.set_axis_off()
    figure.axes[0].set_title("two photos")
    figure.axes[1].set_title("in each other's colours")
    outcome = f"cost {model.cost_:.3f}, marginal error {model.history_[-1]:.0e}"
    return Row("colours of two photos", len(mixed), model.n_iter_, seconds, outcome)


def _surroundings(photo):
    """Gray values in the square around each pixel."""
    padded = np.pad(photo, _SQUARE // 2, mode="reflect")
    squares = np.lib.stride_tricks.sliding_window_view(padded, (_SQUARE, _SQUARE))
    return squares.reshape(photo.size, -1)


def _focus():
    """Two sharp gray photos, and what they look like out of focus, in steps of a camera."""
    sharp = [photo.mean(axis=2) / 255 for photo in load_sample_images().images]
    return sharp, [np.round(255 * gaussian_filter(photo, 1.2)) / 255 for photo in sharp]


def _show_parts(figure, images, part):
    figure.set_size_inches(10, 3.1)
    for axis, (title, image) in zip(figure.subplots(1, len(images)), images.items(), strict=True):
        axis.imshow(image[part], cmap="gray", vmin=0, vmax=1)
        axis.set_title(title, fontsize="medium")
        axis.set_axis_off()


def lstsq_focus(figure):
    """Bring a photo into focus by what least squares learn from another one."""
    (sharp, flower), (blurred, blurred_flower) = _focus()
    model = SketchedLinearRegression(random_state=0)
    seconds = _timed_fit(model, _surroundings(blurred_flower), y=flower.ravel())
    focused = model.predict(_surroundings(blurred)).reshape(sharp.shape)
    images = {
        "out of focus": blurred,
        "by a filter that a photo of a flower taught": focused,
        "as it was": sharp,
    }
    _show_parts(figure, images, (slice(90, 290), slice(210, 460)))
    errors = [np.sqrt(np.mean((image - sharp) ** 2)) for image in (blurred, focused)]
    outcome = f"rms error {errors[0]:.3f} to {errors[1]:.3f} of 1, "
    outcome += f"backward error {model.backward_error_:.0e}"
    return Row("least squares: focus a photo", flower.size, model.n_passes_, seconds, outcome)


def lp_spoiled(figure):
    """Learn the same from a flower of which 3 pixels in 10 are white: a median does not mind."""
    (sharp, flower), (blurred, blurred_flower) = _focus()
    spoiled = np.where(np.random.default_rng(0).random(flower.shape) < 0.3, 1.0, flower)
    X, y, others = _surroundings(blurred_flower), spoiled.ravel(), _surroundings(blurred)
    mean = SketchedLinearRegression(random_state=0).fit(X, y).predict(others).reshape(sharp.shape)
    model = CoresetEstimator(LpRegression(), RowSampler(p=1, n_samples=0.03, random_state=0))
    seconds = _timed_fit(model, X, y=y)
    median = model.predict(others).reshape(sharp.shape)
    images = {
        "all that there is to learn from": spoiled,
        "out of focus": blurred,
        "by least squares": mean,
        "by a median, of 3 % of the pixels": median,
    }
    _show_parts(figure, images, (slice(90, 290), slice(250, 420)))
    errors = [np.sqrt(np.mean((image - sharp) ** 2)) for image in (mean, median)]
    fit = model.estimator_
    outcome = f"rms error {errors[0]:.3f} to {errors[1]:.3f} of 1, "
    outcome += f"duality gap {fit.duality_gap_ / fit.objective_:.0e}"
    return Row("median, of a sample of pixels", y.size, fit.n_iter_, seconds, outcome)


def cur_digits(figure):
    """Read digits from 20 of their pixels, and rebuild the others."""
    digits, few = load_digits(), np.full((8, 64), np.nan)
    model = CUR(20, selection="cpqr", random_state=0)
    seconds = _timed_fit(model, digits.data)
    chosen = model.transform(digits.data)
    few[:, model.column_indices_] = chosen[:8]
    images = {
        "images": digits.data[:8],
        "20 pixels\nof them": few,
        "rebuilt": model.inverse_transform(chosen[:8]),
    }
    figure.set_size_inches(10, 4)
    for row, (name, kind) in zip(figure.subplots(3, 8), images.items(), strict=True):
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
        for axis, image in zip(row, kind, strict=True):
            axis.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
            axis.set(xticks=[], yticks=[], facecolor="#f6dfca")  # which shows through what is NaN
            axis.spines[:].set_visible(False)
    told = cross_val_score(KNeighborsClassifier(3), chosen, digits.target, cv=5)
    error = model.reconstruction_error_ / np.linalg.norm(digits.data)
    outcome = f"labels told {told.mean():.1%}, relative error {error:.2f}"
    return Row("CUR: 20 pixels of digits", len(chosen), model.n_iter_, seconds, outcome)


def completion_photo(figure):
    """Fill in the seven pixels in ten that a photo has lost."""
    photo = load_sample_images().images[1] / 255
    known = np.random.default_rng(0).random(photo.shape[:2]) < 0.3
    holes = np.hstack(np.moveaxis(np.where(known[..., None], photo, np.nan), 2, 0))
    model = LowRankImputer(40, alpha=3, ridge_exponent=0, random_state=0)
    seconds = _timed_fit(model, holes)
    filled = np.stack(np.hsplit(model.transform(holes).clip(0, 1), 3), axis=2)
    images = {"30 % of the pixels": np.where(known[..., None], photo, 0), "filled in": filled}
    figure.set_size_inches(10, 3.6)
    for axis, (title, image) in zip(figure.subplots(1, 2), images.items(), strict=True):
        axis.imshow(image)
        axis.set_title(title)
        axis.set_axis_off()
    error = np.sqrt(np.mean((filled - photo)[~known] ** 2))
    outcome = f"rms error {error:.3f} of 1, rank {model.rank_}"
    return Row("pixels that a photo has lost", int(known.sum()), model.n_iter_, seconds, outcome)


class _Intensities(Measurements):
    """Squares of the cosine transform of an image x behind masks: measurements of ``x x'``.

    That matrix has a row and a column for each pixel; it is never made.
    """

    fits_constant = True

    def __init__(self, masks):
        super().__init__(masks.size, (masks[0].size, masks[0].size))
        self.masks = masks

    def _seen(self, images):
        behind = images.T.reshape(-1, 1, *self.masks.shape[1:]) * self.masks
        return dctn(behind, axes=(2, 3), norm="ortho").reshape(images.shape[1], -1).T

    def apply_factors(self, left, right):
        return np.sum(self._seen(left) * self._seen(right), axis=1)

    def adjoint_times(self, z, right):
        weighted = (z[:, None] * self._seen(right)).T.reshape(-1, *self.masks.shape)
        back = idctn(weighted, axes=(2, 3), norm="ortho") * self.masks
        return back.sum(axis=1).reshape(right.shape[1], -1).T

    def adjoint_factors(self, z, left, right):
        return self.adjoint_times(z, right), self.adjoint_times(z, left)


def sensing_photo(figure):
    """Find a photo from measurements that have lost their signs: a matrix of rank one."""
    photo = load_sample_images().images[1].mean(axis=2) / 255
    rows, columns = (length // _TILE for length in photo.shape)
    photo = photo[: rows * _TILE, : columns * _TILE]
    photo = photo.reshape(rows, _TILE, columns, _TILE).mean(axis=(1, 3))
    masks = np.random.default_rng(0).choice([-1.0, 1.0], (12, rows, columns))
    A, pixels = _Intensities(masks), photo.reshape(-1, 1)
    y = A.apply_factors(pixels, pixels)
    start = time.perf_counter()
    result = scaled_gd(A, y, 1, symmetric=True, tol=1e-6, rng=0)
    seconds = time.perf_counter() - start
    found = result.left[:, 0] * np.sign(result.left.sum())
    images = {
        "one of 12 measured images, without its signs": np.sqrt(y[: photo.size]),
        "the photo that explains them": found,
        "as it was": photo,
    }
    figure.set_size_inches(10, 2.7)
    for axis, (title, image) in zip(figure.subplots(1, 3), images.items(), strict=True):
        axis.imshow(image.reshape(photo.shape), cmap="gray", vmin=0, vmax=1)
        axis.set_title(title, fontsize="medium")
        axis.set_axis_off()
    error = np.sqrt(np.mean((found - photo.ravel()) ** 2))
    outcome = f"rms error {error:.0e} of 1, a matrix of {photo.size:,} rows and columns"
    return Row("a photo, from intensities", len(y), result.n_iter, seconds, outcome)


TOUR = [
    kmedoids_digits,
    kmedoids_number,
    kmedoids_photo,
    kmedoids_tiles,
    kmedoids_strings,
    transport_colours,
    fastrp_digits,
    lstsq_focus,
    lp_spoiled,
    cur_digits,
    completion_photo,
    sensing_photo,
]


def main(arguments=None):
    """Run the tour."""
    parser = argparse.ArgumentParser(prog="python -m lowrank_la", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("lowrank_la_tour"), help="folder for pictures"
    )
    out = parser.parse_args(arguments).out
    if not find_spec("matplotlib"):
        parser.exit(1, "The tour draws pictures: install lowrank-la[plot].\n")
    from matplotlib.figure import Figure

    out.mkdir(parents=True, exist_ok=True)
    print(f"{'':<29}{'objects':>8}{'passes':>8}{'seconds':>9}  outcome")
    for stop in TOUR:
        figure = Figure(figsize=(10, 5), layout="constrained", dpi=120)
        row = stop(figure)
        print(f"{row.what:<29}{row.objects:>8,}{row.passes:>8}{row.seconds:>9.2f}  {row.outcome}")
        figure.savefig(out / f"{stop.__name__}.png")
    print(f"pictures: {out.resolve()}")


if __name__ == "__main__":
    main()
