"""
Links that are missing
======================

Hide a fifth of the edges of a graph, embed what is left, and ask which pairs of nodes are
linked: those whose rows point the same way. The baseline that must be told along with it is the
product of the degrees: in graphs with hubs it is hard to beat.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.neighbors import kneighbors_graph

from lowrank_la.embedding import FastRP


def split(A, rng):
    """Graph without a fifth of its edges; those; and as many pairs that are none."""
    linked = A.toarray() > 0
    edges = np.argwhere(np.triu(linked, 1))
    edges = edges[rng.permutation(len(edges))]
    hidden, kept = np.split(edges, [len(edges) // 5])
    rest = sparse.coo_array((np.ones(len(kept)), kept.T), shape=A.shape)
    pairs = rng.integers(A.shape[0], size=(4 * len(hidden), 2))
    apart = ~linked[*pairs.T] & (pairs[:, 0] != pairs[:, 1])
    return (rest + rest.T).tocsr(), hidden, pairs[apart][: len(hidden)]


def hubs(n, rng):
    """Graph whose degrees follow a power law, and that has no communities at all."""
    weights = (np.arange(n) + 5.0) ** -0.6
    ends = rng.choice(n, (2, 8 * n), p=weights / weights.sum())
    A = sparse.coo_array((np.ones(8 * n), ends), shape=(n, n)).tocsr()
    return ((A + A.T) > 0).astype(float).tocsr()


# %%
# Two graphs: neighbours among images, which have communities; and hubs, which have none.
rng = np.random.default_rng(0)
neighbours = kneighbors_graph(load_digits().data, 8)
graphs = {"similar images": neighbours.maximum(neighbours.T).tocsr(), "hubs": hubs(1800, rng)}

figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
for axis, (title, A) in zip(axes, graphs.items(), strict=True):
    rest, hidden, others = split(A, rng)
    pairs, linked = np.vstack([hidden, others]), np.repeat([1, 0], [len(hidden), len(others)])
    E = FastRP(64, weights=(1, 1, 1), random_state=0).fit_transform(rest)
    E /= np.maximum(np.linalg.norm(E, axis=1, keepdims=True), 1e-12)
    degrees = rest.sum(axis=1)
    scores = {
        "FastRP, cosine": (E[pairs[:, 0]] * E[pairs[:, 1]]).sum(axis=1),
        "product of degrees": degrees[pairs[:, 0]] * degrees[pairs[:, 1]],
    }
    for name, score in scores.items():
        area = roc_auc_score(linked, score)
        print(f"{title}: {name}, area {area:.3f}")
        axis.plot(*roc_curve(linked, score)[:2], label=f"{name}: {area:.2f}")
    axis.plot([0, 1], [0, 1], color="0.8", zorder=0)
    axis.set(title=title, xlabel="pairs that are not linked", ylabel="hidden edges found")
    axis.legend(loc="lower right", title="area under the curve")
    axis.spines[["top", "right"]].set_visible(False)
plt.show()
