"""Graphs, node labels and the classification protocol of the FastRP benchmarks."""

import numpy as np
from scipy import optimize, sparse
from scipy.special import expit


def chung_lu(n, m, seed=1):
    """Graph with about m edges whose degrees follow a power law, ids at random."""
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(n)[_endpoints(n, (2, int(1.02 * m)), rng)]
    return _simple(n, *pairs)


def planted_blocks(n=100_000, m=1_000_000, k=50, seed=5):
    """The same with k blocks, inside which an edge ends with probability 0.6; and the blocks."""
    rng = np.random.default_rng(seed)
    first, second = _endpoints(n, (2, int(1.02 * m)), rng)
    blocks = rng.integers(k, size=n)
    inside = rng.random(len(first)) < 0.6
    for block in range(k):
        mine = np.flatnonzero(inside & (blocks[first] == block))
        members = np.flatnonzero(blocks == block)
        second[mine] = members[_draw(members, len(mine), rng)]
    names = rng.permutation(n)
    labels = np.empty(n, np.int64)
    labels[names] = blocks
    return _simple(n, names[first], names[second]), labels


def _propensity(ids):
    return (ids + 10.0) ** (-1 / 1.5)


def _draw(ids, size, rng):
    """Positions drawn with the weights of ids."""
    sums = np.cumsum(_propensity(ids))
    return np.searchsorted(sums, rng.random(size) * sums[-1])


def _endpoints(n, shape, rng):
    return _draw(np.arange(n), shape, rng)


def _simple(n, first, second):
    """Symmetric adjacency of ones, without loops and duplicates; in int8, as structure alone."""
    apart = first != second
    first, second = first[apart], second[apart]
    ends = np.concatenate([first, second]), np.concatenate([second, first])
    A = sparse.coo_array((np.ones(len(ends[0]), bool), ends), shape=(n, n)).tocsr()
    A.sum_duplicates()
    return sparse.csr_array((np.ones(A.nnz, np.int8), A.indices, A.indptr), shape=(n, n))


def load(path):
    """Adjacency, and the matrix of labels, of one of the shared graphs."""
    with np.load(path) as f:
        n, k = int(f["n"]), int(f["k"])
        A, labels = (
            sparse.csr_array((np.ones(len(indices)), indices, indptr), shape=(n, columns))
            for indices, indptr, columns in (
                (f["indices"], f["indptr"], n), (f["l_indices"], f["l_indptr"], k)
            )
        )  # fmt: skip
    return A, labels.toarray() > 0


def logistic(X, Y, C):
    """Coefficients (and intercepts, last) of one-vs-rest logistic regressions, all at once."""
    signs = np.where(Y, 1.0, -1.0)
    d, k = X.shape[1], Y.shape[1]

    def loss(flat):
        w = flat.reshape(d + 1, k)
        margins = signs * (X @ w[:-1] + w[-1])
        slope = -C * signs * expit(-margins)
        value = 0.5 * (w[:-1] ** 2).sum() + C * np.logaddexp(0, -margins).sum()
        return value, np.vstack([w[:-1] + X.T @ slope, slope.sum(axis=0)]).ravel()

    options = {"maxiter": 200, "gtol": 1e-3}
    found = optimize.minimize(
        loss, np.zeros((d + 1) * k), jac=True, method="L-BFGS-B", options=options
    )
    return found.x.reshape(d + 1, k)


def standardised(E):
    """Columns less their mean, over their standard deviation."""
    E = np.asarray(E, np.float64)
    deviation = E.std(axis=0)
    return (E - E.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)


def top_k_f1(E, Y, share=0.5, n_splits=5, C=0.1):
    """Micro and macro F1 in percent, where the number of labels of each test node is given."""
    X, scores = standardised(E), []
    labelled = np.flatnonzero(Y.any(axis=1))
    for seed in range(n_splits):
        order = np.random.default_rng(seed).permutation(labelled)
        train, test = np.split(order, [round(share * len(order))])
        w = logistic(X[train], Y[train], C)
        ranks = (-(X[test] @ w[:-1] + w[-1])).argsort(axis=1).argsort(axis=1)
        found, true = ranks < Y[test].sum(axis=1, keepdims=True), Y[test]
        hits, sizes = (found & true).sum(axis=0), found.sum(axis=0) + true.sum(axis=0)
        macro = np.divide(2 * hits, sizes, out=np.zeros(len(hits)), where=sizes > 0).mean()
        scores.append((2 * hits.sum() / sizes.sum(), macro))
    return 100 * np.mean(scores, axis=0)


def block_accuracy(E, blocks, degrees, n_splits=3):
    """Accuracy in percent of logistic regression on a tenth of the nodes that have edges."""
    from sklearn.linear_model import LogisticRegression

    X, scores = standardised(E), []
    for seed in range(n_splits):
        order = np.random.default_rng(seed).permutation(np.flatnonzero(degrees))
        train, test = np.split(order, [len(order) // 10])
        model = LogisticRegression(C=0.01, max_iter=200).fit(X[train], blocks[train])
        scores.append(model.score(X[test], blocks[test]))
    return 100 * np.mean(scores)
