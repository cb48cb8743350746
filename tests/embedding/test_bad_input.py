"""What is no graph, or no option: an error that names the argument."""

import numpy as np
import pytest
from scipy import sparse

from lowrank_la.embedding import FastRP, fastrp

A = np.array([[0.0, 1, 0, 2], [1, 0, 1, 0], [0, 1, 0, 0], [2, 0, 0, 0]])


def with_entry(value, i=0, j=1):
    changed = A.copy()
    changed[i, j] = value
    return changed


BAD_GRAPHS = {
    "not square": (A[:3], "square.*bipartite"),
    "empty": (A[:0, :0], "two nodes"),
    "one node": (np.ones((1, 1)), "two nodes"),
    "no edges": (np.zeros((3, 3)), "no edges"),
    "no entries": (sparse.csr_array((3, 3)), "no edges"),
    "NaN": (with_entry(np.nan), "NaN or inf"),
    "infinite": (with_entry(np.inf), "NaN or inf"),
    "minus infinity": (sparse.csr_array(with_entry(-np.inf)), "NaN or inf"),
    "degrees that cancel": (with_entry(-2.0), "row 0 of A sum to 0"),
    "negative degrees": (sparse.csr_array(with_entry(-7.0)), "row 0 of A sum to -5"),
    "complex": (A + 1j, "A has dtype complex128"),
    "sparse complex": (sparse.csr_array(A + 1j), "A has dtype complex128"),
    "words": (np.full((3, 3), "a"), "A has dtype"),
    "objects": (np.full((3, 3), None), "A has dtype object"),
    "ragged": ([[1.0], [1.0, 2.0]], "A is not an array"),
    "one dimension": (np.ones(4), "A has 1 dimensions"),
    "three dimensions": (np.ones((2, 2, 2)), "A has 3 dimensions"),
    "nothing": (None, "A has dtype object"),
}


@pytest.mark.parametrize("case", BAD_GRAPHS)
def test_graphs(case):
    bad, message = BAD_GRAPHS[case]
    with pytest.raises(ValueError, match=message):
        fastrp(bad, 2)


def test_negative_weights_are_allowed_where_no_degree_cancels():
    assert np.isfinite(fastrp(with_entry(-0.5), 2, storage="float64")).all()
    assert np.isfinite(fastrp(with_entry(-7.0), 2, similarity="adjacency")).all()
    with pytest.raises(ValueError, match="Negative values in data"):
        fastrp(with_entry(-7.0), 2, similarity="adjacency", normalization_strength=1.0)
    columns = np.array([[2.0, -1.0, 0], [0, 0, 1.0], [1.0, 0, 0]])
    with pytest.raises(ValueError, match="column of A"):
        fastrp(columns, 2, similarity="symmetric")


BAD_OPTIONS = {
    "n_components": [0, -1, 2.5, "2", None],
    "weights": [(), (0, 0), [np.nan], [np.inf, 1], "ab", None, 1.0, [[1, 2]], [object()]],
    "normalization_strength": [np.nan, np.inf, "1", None, True],
    "self_influence": [np.nan, -np.inf, "1", None],
    "similarity": ["cosine", None, 1, []],
    "orientation": ["both", None, 1],
    "projection": ["hash", None, 3.0, np.ones((4, 3)), np.full((4, 2), np.nan), [["a"]]],
    "feature_ratio": [-0.1, 1.1, np.nan, "half", None],
    "storage": ["float16", np.float32, None],
    "bipartite": [None, 1, "yes"],
    "random_state": ["seed", -1, 1.5],
    "n_jobs": [0, 1.5, "all"],
    "device": ["gpu", 0],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD_OPTIONS.items() for value in values]
)
def test_options(name, value):
    options = {"n_components": 2, name: value}
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        fastrp(A, **options)
    if name != "n_jobs":
        with pytest.raises(ValueError, match=rf"\b{name}\b"):
            FastRP(**options).fit(A)


def test_a_bipartite_graph_has_no_orientation():
    with pytest.raises(ValueError, match="orientation"):
        fastrp(A, 2, bipartite=True, orientation="reverse")


def test_a_fit_refuses_what_is_not_finite_before_anything_else():
    with pytest.raises(ValueError, match="NaN"):
        FastRP(2).fit(with_entry(np.nan))
    model = FastRP(2, random_state=0).fit(A)
    for bad in (with_entry(np.nan), A[:, :3], A[0]):
        with pytest.raises(ValueError):  # noqa: B017, PT011
            model.transform(bad)
