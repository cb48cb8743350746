"""The tour, ``python -m lowrank_la``: every capability on real data, a table and pictures."""

import argparse
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits, load_sample_images
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import kneighbors_graph
from sklearn.preprocessing import normalize
from sklearn.utils import all_estimators

from .cluster import DynMSC, KMedoids, OneBatchKMedoids
from .embedding import FastRP

_TILE = 4  # pixels on a side


def _edit_distance(a, b):
    """Levenshtein distance of two strings."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (letter != other))
    return row[-1]


def _timed_fit(model, X, columns=None):
    few = X[:200] if columns is None else X[:200, columns]
    clone(model).fit(few)  # compiles what is not in the cache yet
    start = time.perf_counter()
    model.fit(X)
    return time.perf_counter() - start


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
    return "digits, city-block", model, seconds, f"adjusted Rand index {agreement:.2f}"


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
    return "pixels of a photo, no matrix", model, seconds, f"rms error {error:.3f} of 1"


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
    return "tiles of a photo, one batch", model, seconds, f"rms error {error:.3f} of 1"


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
    return "digits, how many clusters?", model, seconds, f"silhouette {best:.2f}"


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
    return "names, edit distance", model, seconds, f"largest cluster {sizes.max()}"


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
    return "FastRP of a graph of digits", model, seconds, f"labels told {told.mean():.1%}"


TOUR = [
    kmedoids_digits, kmedoids_number, kmedoids_photo, kmedoids_tiles, kmedoids_strings,
    fastrp_digits,
]  # fmt: skip


def _figures(model):
    """Cells of the table: objects, medoids or components, loss, passes."""
    if hasattr(model, "embedding_"):
        n, d = model.embedding_.shape
        return f"{n:>8,}{d:>4}{'':>12}{'':>8}"
    cells = f"{len(model.labels_):>8,}{len(model.medoid_indices_):>4}"
    return f"{cells}{model.inertia_:>12,.1f}{model.n_iter_:>8}"


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
    print(
        f"{'k-medoids of':<30}{'objects':>8}{'k':>4}{'loss':>12}"
        f"{'passes':>8}{'seconds':>9}  quality"
    )
    for stop in TOUR:
        figure = Figure(figsize=(10, 5), layout="constrained", dpi=120)
        what, model, seconds, quality = stop(figure)
        print(f"{what:<30}{_figures(model)}{seconds:>9.2f}  {quality}")
        figure.savefig(out / f"{stop.__name__}.png")
    print(f"pictures: {out.resolve()}")


if __name__ == "__main__":
    main()
