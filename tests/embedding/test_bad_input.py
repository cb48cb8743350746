"""What is no graph, or no option: an error that names the argument."""

import re

import networkx
import numpy as np
import pytest
from scipy import sparse

from lowrank_la.embedding import FastRP, fastrp

A = np.array([[0.0, 1, 0, 2], [1, 0, 1, 0], [0, 1, 0, 0], [2, 0, 0, 0]])


def with_entry(value, i=0, j=1):
    changed = A.copy()
    changed[i, j] = value
    return changed


def with_indices(kind, name, value):
    """Compressed matrix whose arrays do not fit it."""
    changed = kind(A)
    getattr(changed, name)[2] = value
    return changed


def with_row(value):
    changed = sparse.coo_array(A)
    changed.row[0] = value
    return changed


def weighted_path(value):
    graph = networkx.path_graph(4)
    graph.edges[0, 1]["weight"] = value
    return graph


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
    "sparse, one dimension": (sparse.coo_array(np.ones(4)), "A has 1 dimensions"),
    "sparse, three dimensions": (sparse.coo_array(np.ones((2, 2, 2))), "A has 3 dimensions"),
    "networkx, empty": (networkx.Graph(), "A has no nodes"),
    "networkx, one node": (networkx.path_graph(1), "two nodes"),
    "networkx, words": (weighted_path("heavy"), "A has weights that are not real"),
    "networkx, complex": (weighted_path(1j), "A has dtype complex128"),
    "too large an index": (with_indices(sparse.csr_array, "indices", 10**9), "A is not .*csr"),
    "one too large": (with_indices(sparse.csr_matrix, "indices", 4), "A is not .*csr"),
    "a negative index": (with_indices(sparse.csr_array, "indices", -1), "A is not .*csr"),
    "rows that overlap": (with_indices(sparse.csr_array, "indptr", 0), "A is not .*csr"),
    "columns, too large": (with_indices(sparse.csc_array, "indices", 10**9), "A is not .*csc"),
    "blocks, too large": (with_indices(sparse.bsr_array, "indices", 10**9), "A is not .*bsr"),
    "coordinates, too large": (with_row(10**9), "A is not .*coo"),
}


@pytest.mark.parametrize("case", BAD_GRAPHS)
def test_graphs(case):
    bad, message = BAD_GRAPHS[case]
    with pytest.raises(ValueError, match=message):
        fastrp(bad, 2)


@pytest.mark.parametrize("case", [case for case in BAD_GRAPHS if re.search("large|sparse, ", case)])
def test_graphs_of_the_estimator(case):
    bad, message = BAD_GRAPHS[case]
    with pytest.raises(ValueError, match=message.replace("A ", "X ")):
        FastRP(2).fit(bad)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_array])
def test_transform_refuses_indices_that_do_not_fit(kind):
    model = FastRP(2, random_state=0).fit(A)
    with pytest.raises(ValueError, match="X is not a valid"):
        model.transform(with_indices(kind, "indices", 10**9))


def test_negative_weights_are_allowed_where_no_degree_cancels():
    assert np.isfinite(fastrp(with_entry(-0.5), 2, storage="float64")).all()
    assert np.isfinite(fastrp(with_entry(-7.0), 2, similarity="adjacency")).all()
    with pytest.raises(ValueError, match="Negative values in data"):
        fastrp(with_entry(-7.0), 2, similarity="adjacency", normalization_strength=1.0)
    columns = np.array([[2.0, -1.0, 0], [0, 0, 1.0], [1.0, 0, 0]])
    with pytest.raises(ValueError, match="column of A"):
        fastrp(columns, 2, similarity="symmetric")


BAD_OPTIONS = {  # fmt: skip
    "n_components": [0, -1, 2.5, "2", None],
    "weights": [
        (),
        (0, 0),
        [np.nan],
        [np.inf, 1],
        "ab",
        None,
        1.0,
        [[1, 2]],
        [object()],
        [1e39],
        [1e-50],
    ],
    "normalization_strength": [np.nan, np.inf, "1", None, True],
    "self_influence": [np.nan, -np.inf, "1", None, 1e39],
    "similarity": ["cosine", None, 1, []],
    "orientation": ["both", None, 1],
    "projection": ["hash", None, 3.0, np.ones((4, 3)), np.full((4, 2), np.nan), [["a"]]]
    + [np.full((4, 2), value) for value in (1e39, -1e39, 1e-40)],
    "feature_ratio": [-0.1, 1.1, np.nan, "half", None],
    "storage": ["float16", np.float32, None],
    "bipartite": [None, 1, "yes"],
    "random_state": ["seed", -1, 1.5],
    "n_jobs": [0, 1.5, "all"],
    "device": ["gpu", 0],
}


BAD_ARGUMENTS = {
    "node_ids": [
        5, range(3), [0] * 4, [0.5] * 4, [None] * 4, ["a"] * 4, [[1], [1, 2], 3, 4], [2**70] * 4,
        np.arange(8).reshape(4, 2),
    ],
    "features": [
        5, "words", np.ones((3, 2)), np.ones(4), np.ones((4, 0)), np.full((4, 2), np.nan),
        np.full((4, 2), "a"), [[1.0], [1.0, 2.0], [1.0], [1.0]], sparse.coo_array(np.ones(4)),
        np.full((4, 2), 1e39), np.full((4, 2), -1e39), sparse.csr_array(np.full((4, 2), 1e39)),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD_ARGUMENTS.items() for value in values]
)
def test_arguments_of_fit(name, value):
    ratio = {"feature_ratio": 0.5} if name == "features" else {}
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        fastrp(A, 2, **ratio, **{name: value})
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        FastRP(2, **ratio).fit(A, **{name: value})


def test_the_message_on_features_tells_the_given_number_of_components():
    with pytest.raises(ValueError, match=r"feature_ratio=0\.5 .* n_components=2 .* not given"):
        fastrp(A, 2, feature_ratio=0.5, refine=True)
    with pytest.raises(ValueError, match=r"feature_ratio=0\.1 .* n_components=2 .* are given"):
        fastrp(A, 2, feature_ratio=0.1, refine=True, features=A)


def test_large_numbers_need_results_in_float64():
    R = np.random.default_rng(0).normal(size=(4, 2))
    expected = fastrp(A, 2, projection=R, storage="float64")
    found = fastrp(A, 2, projection=1e39 * R, weights=(0, 1e39, 1e39), storage="float64")
    np.testing.assert_allclose(found, 1e39 * expected, rtol=1e-12)
    with pytest.raises(ValueError, match="weights"):
        FastRP(2).fit(A).reweight((1e39,))


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


@pytest.mark.parametrize("weights", ["001", ["0", "1"], [None, 1], 3, [[0, 1]]])
def test_weights_are_numbers(weights):
    with pytest.raises(ValueError, match="weights"):
        fastrp(np.ones((6, 6)), 4, weights=weights)
