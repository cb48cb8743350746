"""Problems for hypothesis to draw.

All dissimilarities are small integers: sums of them are exact in any order, so
that ties are ties, and results can be compared to the last bit.
"""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

dtypes = st.sampled_from([np.float32, np.float64])


def integers(shape, low, high):
    """Arrays whose entries are drawn one by one: by default most of them are equal."""
    return arrays(np.int64, shape, elements=st.integers(low, high), fill=st.nothing())


@st.composite
def dissimilarities(draw, min_n=1, max_n=10, kinds=("symmetric", "asymmetric", "points")):
    """Square matrix with a zero diagonal; few distinct values give ties and duplicates."""
    n = draw(st.integers(min_n, max_n))
    kind = draw(st.sampled_from(kinds))
    most = draw(st.sampled_from([1, 3, 1000, 1000]))
    if kind == "points":
        points = draw(integers((n, 2), 0, most))
        diss = np.abs(points[:, None] - points).sum(axis=2)
    else:
        diss = draw(integers((n, n), 0, most))
        diss = np.triu(diss) + np.triu(diss).T if kind == "symmetric" else diss
        np.fill_diagonal(diss, 0)
    return diss.astype(draw(dtypes))


@st.composite
def starts(draw, **options):
    """Dissimilarities, and distinct initial medoids."""
    diss = draw(dissimilarities(**options))
    k = draw(st.integers(1, len(diss)))
    return diss, np.array(draw(st.permutations(range(len(diss))))[:k])


@st.composite
def weighted_starts(draw, **options):
    """Dissimilarities, initial medoids, and integer weights that are positive on those."""
    diss, medoids = draw(starts(**options))
    weights = draw(integers(len(diss), 0, 3))
    weights[medoids] += weights[medoids] == 0
    return diss, medoids, weights.astype(float)


@st.composite
def graphs(draw, max_n=12):
    """Adjacency matrix of small integers: directed or not, loops, sinks; at least one edge."""
    n = draw(st.integers(2, max_n))
    A = draw(integers((n, n), 0, 3))
    A = A * draw(integers((n, n), 0, 1))
    A[draw(st.integers(0, n - 1)), draw(st.integers(0, n - 1))] = 1
    return (A + A.T if draw(st.booleans()) else A).astype(np.float64)


@st.composite
def transports(draw, max_n=8, least_mass=0):
    """Costs, masses of rows and of columns with the sum 1, and a strength of regularisation."""
    n, m = draw(st.integers(1, max_n)), draw(st.integers(1, max_n))
    costs = draw(integers((n, m), -3, draw(st.sampled_from([3, 1000])))).astype(float)
    masses = [draw(integers(size, least_mass, 5)).astype(float) for size in (n, m)]
    a, b = (x / x.sum() if x.any() else np.full(len(x), 1 / len(x)) for x in masses)
    return costs, a, b, draw(st.sampled_from([1.0, 0.1, 0.01])) * max(1.0, np.ptp(costs))
