"""The plain function: equality with a dense reference, and what must hold for every graph."""

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from lowrank_la.embedding import FastRP, _cpu, fastrp
from lowrank_la.embedding._projection import Projection
from tests.layouts import sparse_forms
from tests.reference import fastrp as reference
from tests.strategies import graphs

TOLERANCE = {"float32": 1e-5, "float64": 1e-12, "int8": 0.1}
LAWS = ["hashed", "sparse", "very_sparse", "gaussian"]
SIMILARITIES = ("walk", "adjacency", "symmetric")


def projection(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def random_graph(n=80, density=0.1, seed=0, weighted=True, symmetric=False):
    rng = np.random.default_rng(seed)
    A = (rng.random((n, n)) < density) * (rng.random((n, n)) + 0.5 if weighted else 1.0)
    A[3], A[:, 4] = 0, 0  # a sink, and a node that nobody names
    return A + A.T if symmetric else A


def relative_error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("storage", TOLERANCE)
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("orientation", ["natural", "reverse", "undirected"])
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_the_reference(storage, similarity, orientation, weighted, global_random_seed):
    A = random_graph(seed=global_random_seed, weighted=weighted)
    R = projection(80, 40)
    options = {"self_influence": 0.3, "similarity": similarity}
    expected = reference.fastrp(
        reference.oriented(A, orientation), R, (0.5, 0, -2, 3.0), strength=-0.4, **options
    )
    found = fastrp(
        A, 40, weights=(0.5, 0, -2, 3.0), projection=R, normalization_strength=-0.4,
        orientation=orientation, storage=storage, **options,
    )  # fmt: skip
    assert found.dtype == (np.float64 if storage == "float64" else np.float32)
    assert relative_error(found, expected) < TOLERANCE[storage]


@pytest.mark.parametrize("d", [1, 2, 31, 32, 33, 64, 128, 130, 200])
@pytest.mark.parametrize("storage", ["float32", "float64"])
def test_any_number_of_components(d, storage):
    A = random_graph(210, 0.03)
    R = projection(210, d)
    found = fastrp(A, d, projection=R, storage=storage)
    assert found.shape == (210, d)
    assert relative_error(found, reference.fastrp(A, R, (0, 1, 1))) < TOLERANCE[storage]


@pytest.mark.parametrize("weights", [(1,), (0, 1), (1, 0, 0), (1, 1, 1, 1, 1), (0, 0, 0, 0, 0, 2)])
@pytest.mark.parametrize("storage", TOLERANCE)
@pytest.mark.parametrize("self_influence", [0, 2.0])
def test_any_weights(weights, storage, self_influence):
    A, R = random_graph(), projection(80, 32)
    expected = reference.fastrp(A, R, weights, self_influence)
    found = fastrp(
        A, 32, weights=weights, self_influence=self_influence, projection=R, storage=storage
    )
    assert relative_error(found, expected) < TOLERANCE[storage]


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_bipartite(similarity):
    rng = np.random.default_rng(0)
    A = (rng.random((30, 50)) < 0.2) * rng.random((30, 50))
    R = projection(80, 16)
    found = fastrp(A, 16, projection=R, bipartite=True, similarity=similarity)
    joined = reference.oriented(A, bipartite=True)
    assert found.shape == (80, 16)
    assert (
        relative_error(found, reference.fastrp(joined, R, (0, 1, 1), similarity=similarity)) < 1e-5
    )


def test_rows_of_many_entries_are_summed_in_double():
    """A star: the sum over 200,000 neighbours keeps its digits."""
    n = 200_000
    hub = np.zeros(n - 1, np.int64)
    A = sparse.coo_array((np.ones(n - 1), (hub, np.arange(1, n))), shape=(n, n))
    R = projection(n, 4).astype(np.float32) + np.float32(1)
    found = fastrp(A, 4, weights=(1,), projection=R)
    expected = R[1:].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(found[0], expected / np.linalg.norm(expected), rtol=1e-6)


# --- projections


@pytest.mark.parametrize("law", LAWS)
def test_projections_keep_lengths_and_angles(law, global_random_seed):
    """Johnson and Lindenstrauss: inner products of many vectors are kept, up to 1 / sqrt(d)."""
    n, d = 900, 400
    ids = np.arange(n, dtype=np.uint64)
    rows = Projection(law, d, global_random_seed, ids).rows(_cpu, np.ones(n), np.float64, 1)
    R = np.zeros((n, d))
    if law == "hashed":
        R[np.arange(n), rows.values] = rows.units
    else:
        R = rows.values[:, :d]
    vectors = np.random.default_rng(global_random_seed).normal(size=(60, n)) / np.sqrt(n)
    distortion = (vectors @ R) @ (vectors @ R).T - vectors @ vectors.T
    assert abs(distortion.mean()) < 0.01
    assert abs(distortion).max() < 6 / np.sqrt(d)


@pytest.mark.parametrize(("law", "share"), [("sparse", 1 / 3), ("very_sparse", 1 / 30)])
def test_shares_of_entries_that_are_not_zero(law, share):
    n = 900
    ids = np.arange(n, dtype=np.uint64)
    R = Projection(law, 128, 0, ids).rows(_cpu, np.ones(n), np.float64, 1).values
    assert (R != 0).mean() == pytest.approx(share, rel=0.05)
    assert (R > 0).sum() == pytest.approx((R < 0).sum(), rel=0.1)


# --- input


def test_every_form_of_a_graph_gives_the_same():
    A = random_graph(40)
    expected = fastrp(A, 16, random_state=0)
    forms = sparse_forms(A)
    for kind in (sparse.dok_array, sparse.lil_array, sparse.bsr_array, sparse.dia_array):
        forms[kind.__name__] = kind(A)
    for name, form in forms.items():
        found = fastrp(form, 16, random_state=0)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float32", ">f8", ">i4"])
def test_numbers_of_any_type(dtype):
    A = random_graph(40, weighted=False)
    expected = fastrp(A, 16, random_state=0)
    np.testing.assert_array_equal(fastrp(A.astype(dtype), 16, random_state=0), expected)


@pytest.mark.parametrize("directed", [False, True])
def test_networkx(directed):
    graph = networkx.gnp_random_graph(50, 0.1, seed=0, directed=directed)
    for i, (_, _, data) in enumerate(graph.edges(data=True)):
        data["weight"] = 1.0 + i
    A = networkx.to_scipy_sparse_array(graph)
    np.testing.assert_array_equal(fastrp(graph, 8, random_state=0), fastrp(A, 8, random_state=0))


def test_memory_maps_are_not_copied(tmp_path):
    A = sparse.csr_array(random_graph(60))
    arrays = {}
    for name in ("data", "indices", "indptr"):
        array = getattr(A, name)
        array.tofile(tmp_path / name)
        arrays[name] = np.memmap(tmp_path / name, array.dtype, "r")
    mapped = sparse.csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=A.shape)
    np.testing.assert_array_equal(fastrp(mapped, 8, random_state=0), fastrp(A, 8, random_state=0))


def test_input_is_not_changed():
    A = sparse.csr_array(random_graph(40))
    kept = A.copy()
    for similarity in SIMILARITIES:
        fastrp(A, 8, similarity=similarity, orientation="undirected", self_influence=1.0)
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(A, name), getattr(kept, name))


# --- properties


@given(graphs(), st.integers(0, 100))
def test_linear_in_the_weights(A, seed):
    options = {"storage": "float64", "random_state": seed}
    d = min(8, len(A))
    first, second = (1, 0, 2.0), (0.5, -1, 0.25)
    total = fastrp(A, d, weights=np.add(first, second), **options)
    parts = sum(fastrp(A, d, weights=w, **options) for w in (first, second))
    np.testing.assert_allclose(total, parts, atol=1e-12)


@given(graphs(), st.data())
def test_permutations_with_ids(A, data):
    n = len(A)
    order = np.array(data.draw(st.permutations(range(n))))
    ids = [f"node {i}" for i in range(n)] if data.draw(st.booleans()) else np.arange(n) - 3
    for similarity in SIMILARITIES:
        options = {"similarity": similarity, "storage": "float64", "random_state": 0}
        d = min(4, n)
        expected = fastrp(A, d, node_ids=ids, **options)
        shuffled = fastrp(A[np.ix_(order, order)], d, node_ids=[ids[i] for i in order], **options)
        np.testing.assert_allclose(shuffled, expected[order], atol=1e-9)


@given(graphs(), st.floats(1e-30, 1e30))
def test_a_common_factor_of_the_weights_does_not_matter(A, factor):
    for similarity in SIMILARITIES:
        options = {"similarity": similarity, "random_state": 0}
        d = min(4, len(A))
        expected = fastrp(A, d, **options)
        np.testing.assert_allclose(fastrp(A * factor, d, **options), expected, atol=1e-4)


@pytest.mark.parametrize("unit", [1e-30, 1e-12, 1.0, 7.0, 1e12, 1e30])
def test_the_degrees_of_weights_of_any_size(unit):
    A, R = random_graph() * unit, projection(80, 16)
    expected = reference.fastrp(A, R, (1, 1), strength=-0.5)
    found = fastrp(A, 16, weights=(1, 1), projection=R, normalization_strength=-0.5)
    assert relative_error(found, expected) < 1e-5


@pytest.mark.parametrize(("dtype", "least"), [(np.float32, 2.0**-120), (np.float64, 2.0**-900)])
@pytest.mark.parametrize("storage", TOLERANCE)
def test_units_of_rows_do_not_matter_to_walks(dtype, least, storage):
    """Even if float32 does not hold their ratio."""
    A = random_graph().astype(dtype)
    units = np.where(np.arange(80) % 3, 2.0**60, least)[:, None].astype(dtype)
    options = {"storage": storage, "random_state": 0, "weights": (1, 1, 1)}
    tolerance = 0.05 if storage == "int8" else 1e-5
    model = FastRP(16, **options).fit(A)
    np.testing.assert_allclose(fastrp(units * A, 16, **options), model.embedding_, atol=tolerance)
    np.testing.assert_allclose(model.transform(units * A), model.transform(A), atol=tolerance)


@pytest.mark.parametrize("storage", ["float32", "float64"])
@pytest.mark.parametrize("refine", [False, True])
def test_symmetric_components_of_any_unit(storage, refine):
    """The unit of a component does not matter to the symmetric matrix, nor to its transform."""
    one, other = random_graph(40, symmetric=True), random_graph(40, seed=1, symmetric=True)
    R = projection(80, 32)
    options = {"similarity": "symmetric", "storage": storage, "projection": R, "refine": refine}
    expected = FastRP(8 if refine else 32, **options).fit(sparse.block_diag([one, other]))
    for unit in (1e-40, 1e-100, 1e40):
        A = sparse.block_diag([one, unit * other], format="csr")
        model = FastRP(8 if refine else 32, **options).fit(A)
        np.testing.assert_allclose(model.embedding_, expected.embedding_, atol=2e-3)
        np.testing.assert_allclose(model.transform(A), model.embedding_, atol=2e-3)


@pytest.mark.parametrize("similarity", ["walk", "symmetric"])
def test_rows_of_tiny_weights_have_directions(similarity):
    A, R = random_graph(), projection(80, 16)
    A[::3] *= 1e-40
    expected = reference.fastrp(A, R, (1, 1, 1), similarity=similarity)
    found = fastrp(A, 16, weights=(1, 1, 1), projection=R, similarity=similarity)
    assert relative_error(found, expected) < 1e-5


@given(graphs())
def test_sinks_and_isolated_nodes_give_zeros(A):
    found = fastrp(A, min(8, len(A)), weights=(1, 1), random_state=0)
    assert not found[A.sum(axis=1) == 0].any()
    assert np.isfinite(found).all()


def test_a_factor_of_a_node_does_not_matter_to_walks():
    A = random_graph(60)
    factors = np.random.default_rng(1).uniform(0.1, 10, 60)
    expected = fastrp(A, 16, random_state=0, storage="float64")
    found = fastrp(factors[:, None] * A, 16, random_state=0, storage="float64")
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("law", ["hashed", "sparse", "gaussian"])  # "very_sparse" depends on n
def test_ids_survive_insertions(law):
    """The rows of a projection depend on their ids alone."""
    A = random_graph(50)
    bigger = np.zeros((60, 60))
    bigger[10:, 10:] = A
    ids = np.arange(100, 150)
    expected = fastrp(A, 16, projection=law, node_ids=ids, random_state=3)
    found = fastrp(bigger, 16, projection=law, node_ids=np.r_[:10, ids], random_state=3)
    np.testing.assert_allclose(found[10:], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("storage", TOLERANCE)
def test_the_number_of_threads_does_not_matter(storage):
    A = sparse.random_array((5000, 5000), density=0.002, rng=0, format="csr")
    results = [
        fastrp(A, 32, storage=storage, n_jobs=n_jobs, random_state=0, weights=(1, 1, 1))
        for n_jobs in (1, 2, 3)
    ]
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_many_powers_neither_overflow_nor_vanish(similarity):
    A = 1000 * (1 + np.random.default_rng(0).random((40, 40)))
    options = {"weights": [0] * 59 + [1], "similarity": similarity}
    found = fastrp(A, 8, random_state=0, **options)
    expected = fastrp(A, 8, random_state=0, storage="float64", **options)
    lengths = np.linalg.norm(found, axis=1)
    assert lengths == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("similarity", ["walk", "adjacency", "symmetric"])
@pytest.mark.parametrize(
    "blocks", [[10] * 4, [3] * 60, [1, 40, 2]], ids=["cliques", "triangles", "uneven"]
)
def test_refined_graphs_of_low_rank(blocks, similarity):
    A = sparse.block_diag([np.ones((size, size)) for size in blocks], format="csr")
    E = fastrp(A, 4, similarity=similarity, refine=True, random_state=0)
    assert np.isfinite(E).all()
    start = 0
    for size in blocks:  # the nodes of a clique are alike
        np.testing.assert_allclose(E[start : start + size], E[[start] * size], atol=0.01)
        start += size


@pytest.mark.parametrize("storage", ["float32", "float64", "int8"])
def test_components_of_other_weights_keep_their_rows(storage):
    rng = np.random.default_rng(0)
    light = rng.random((10, 10))
    A = sparse.block_diag([1e4 * rng.random((10, 10)), light], format="csr")
    E = fastrp(
        A, 8, similarity="adjacency", weights=(0,) * 8 + (1,), storage=storage, random_state=0
    )
    np.testing.assert_allclose(np.linalg.norm(E, axis=1), 1, atol=0.05)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.float64])
def test_undirected_does_not_depend_on_the_type_of_weights(dtype):
    A = sparse.random_array((30, 30), density=0.3, rng=0, format="csr")
    A.data[:] = 1 if dtype is bool else np.random.default_rng(0).integers(1, 100, A.nnz)
    expected = fastrp(A, 8, orientation="undirected", random_state=0)
    found = fastrp(A.astype(dtype), 8, orientation="undirected", random_state=0)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("ratio", np.geomspace(2e-8, 2e-7, 9))
def test_heavy_weights_of_short_rows_are_finite(ratio):
    block = np.ones((30, 30))
    A = sparse.block_diag([block, block * ratio]).tocsr()
    options = {"similarity": "adjacency", "weights": (0,) * 5 + (1e6,), "random_state": 0}
    assert np.isfinite(fastrp(A, 16, **options)).all()
