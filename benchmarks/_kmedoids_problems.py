"""The problems of the k-medoids benchmarks, and what their results are compared by."""

import gzip

import numpy as np

SAME_LOSS = 1e-6  # relative
_ROWS = 1 << 16  # whose distances are computed at a time


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


def pixels(bench, n=None):
    """Return n (or all 546,560) pixels of scikit-learn's two photos, in random order."""
    bench.peer("PIL")
    from sklearn.datasets import load_sample_images

    X = np.concatenate([image.reshape(-1, 3) for image in load_sample_images().images])
    return X[np.random.default_rng(0).permutation(len(X))[:n]].astype(np.float32)


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


def true_loss(X, centres, metric="euclidean"):
    """Return the loss over all points, in float64."""
    from scipy.spatial.distance import cdist

    blocks = (X[lo : lo + _ROWS] for lo in range(0, len(X), _ROWS))
    return float(sum(cdist(block, centres, metric).min(axis=1).sum() for block in blocks))


def same_loss(ours, theirs):
    """Whether two results have the same loss."""
    return abs(ours.loss - theirs.loss) <= SAME_LOSS * abs(theirs.loss)


def difference(ours, theirs, count_swaps=True):
    """Whether two results are the same, and a sentence about it."""
    same_medoids = np.array_equal(ours.medoids, theirs.medoids)
    same_swaps = ours.n_swap == theirs.n_swap or not count_swaps
    if same_medoids and same_swaps and same_loss(ours, theirs):
        return True, f"identical ({ours.n_swap} swaps)"
    return False, (
        f"DIFFERENT: {'the same' if same_medoids else 'other'} medoids, "
        f"swaps {ours.n_swap} and {theirs.n_swap}, loss {ours.loss / theirs.loss - 1:+.1e}"
    )


def by_seed(solve):
    """Contestant that takes the next seed in every round, and returns all results so far."""
    found = []

    def call():
        found.append(solve(len(found)))
        return found

    return call
