"""The estimator: scikit-learn's checks, inductive transform, new weights, features, pipelines."""

import pickle

import networkx
import numpy as np
import pytest
from scipy import sparse
from scipy.linalg import subspace_angles
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import kneighbors_graph
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from lowrank_la.embedding import FastRP, fastrp
from tests.embedding.test_fastrp import projection, random_graph, relative_error
from tests.reference import fastrp as reference

WEIGHTS = (0.5, 0.0, 2.0)


@parametrize_with_checks(
    [
        FastRP(random_state=0),
        FastRP(similarity="symmetric", projection="gaussian", storage="float64", random_state=0),
        FastRP(similarity="adjacency", orientation="undirected", random_state=0),
        FastRP(storage="int8", normalization_strength=-0.5, random_state=0),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    """Neighbours among images of digits, and the digits."""
    X, y = load_digits(return_X_y=True)
    A = kneighbors_graph(X[:600], 8)
    return A.maximum(A.T).tocsr(), y[:600]


@pytest.mark.parametrize("storage", ["float32", "float64", "int8"])
def test_is_the_function(storage):
    A = random_graph()
    options = {"weights": WEIGHTS, "storage": storage, "self_influence": 0.5, "random_state": 0}
    model = FastRP(20, **options).fit(A)
    np.testing.assert_array_equal(model.embedding_, fastrp(A, 20, **options))
    np.testing.assert_array_equal(model.fit_transform(A), model.embedding_)
    lean = FastRP(20, keep_powers=False, **options).fit(A)
    np.testing.assert_array_equal(lean.embedding_, model.embedding_)


@pytest.mark.parametrize("similarity", ["walk", "adjacency", "symmetric"])
@pytest.mark.parametrize("storage", ["float32", "float64", "int8"])
@pytest.mark.parametrize("law", ["hashed", "gaussian"])
def test_transform_of_the_graph_itself(similarity, storage, law):
    A = random_graph()
    model = FastRP(
        20, weights=WEIGHTS, similarity=similarity, storage=storage, projection=law, random_state=0
    )
    tolerance = 0.05 if storage == "int8" else 1e-5
    np.testing.assert_allclose(model.fit_transform(A), model.transform(A), atol=tolerance)


@pytest.mark.parametrize("similarity", ["walk", "adjacency", "symmetric"])
def test_transform_of_new_nodes(similarity):
    """The formula: sum over k of w_k times the directions of P_new U_(k-1)."""
    A = random_graph()
    train, new = np.arange(60), np.arange(60, 80)
    R = projection(60, 16)
    model = FastRP(16, weights=WEIGHTS, similarity=similarity, projection=R).fit(A[:60, :60])
    powers = reference.powers(A[:60, :60], R, 3, similarity=similarity)
    if similarity == "symmetric":
        columns = A[:60, :60].sum(axis=0)
        roots = np.sqrt(np.divide(1, columns, out=np.ones(60), where=columns > 0))
        powers = [roots[:, None] * U for U in powers]
    expected = sum(
        w * reference.directions(A[np.ix_(new, train)] @ U)
        for w, U in zip(WEIGHTS, powers, strict=False)
    )
    for form in (np.asarray, sparse.csr_array, sparse.coo_array):
        found = model.transform(form(A[np.ix_(new, train)]))
        assert relative_error(found, expected) < 1e-5


def test_transform_of_a_bipartite_graph():
    A = np.random.default_rng(0).random((40, 30)) * (
        np.random.default_rng(1).random((40, 30)) < 0.3
    )
    model = FastRP(16, bipartite=True, random_state=0).fit(A)
    assert model.embedding_.shape == (40, 16)
    assert model.column_embedding_.shape == (30, 16)
    np.testing.assert_allclose(model.transform(A), model.embedding_, atol=1e-5)
    assert model.transform(A[:3]).shape == (3, 16)


@pytest.mark.parametrize("shape", [(1, 6), (6, 1), (1, 1)])
def test_bipartite_graphs_of_a_single_row(shape):
    A = np.random.default_rng(0).random(shape)
    model = FastRP(2, bipartite=True, random_state=0).fit(A)
    joined = np.vstack([model.embedding_, model.column_embedding_])
    np.testing.assert_array_equal(joined, fastrp(A, 2, bipartite=True, random_state=0))


def test_new_nodes_without_edges():
    model = FastRP(8, random_state=0).fit(random_graph())
    assert not model.transform(np.zeros((2, 80))).any()
    assert model.transform(sparse.csr_array((2, 80))).shape == (2, 8)


@pytest.mark.parametrize("storage", ["float32", "float64", "int8"])
def test_reweight(storage):
    A = random_graph()
    options = {"storage": storage, "random_state": 0}
    model = FastRP(20, weights=(0, 0, 0, 1), **options).fit(A)
    before, copy = model.embedding_, model.embedding_.copy()
    for weights, own in [((1, 2, 3, 4), 0.0), ((0, 1), 2.0), ((0, 0, 0, -1), 0.0)]:
        expected = fastrp(A, 20, weights=weights, self_influence=own, **options)
        assert model.reweight(weights, own) is model
        np.testing.assert_allclose(
            model.embedding_, expected, atol=0.05 if storage == "int8" else 1e-5
        )
    np.testing.assert_array_equal(before, copy)
    new = A[:5]
    expected = FastRP(20, weights=(1, 2), **options).fit(A).transform(new)
    np.testing.assert_allclose(model.reweight((1, 2)).transform(new), expected, atol=1e-5)


def test_what_was_not_kept():
    model = FastRP(8, keep_powers=False).fit(random_graph())
    with pytest.raises(ValueError, match="keep_powers"):
        model.transform(random_graph())
    with pytest.raises(ValueError, match="keep_powers"):
        model.reweight((1, 1))
    with pytest.raises(ValueError, match="weights has 4 entries"):
        FastRP(8).fit(random_graph()).reweight((1, 1, 1, 1))


# --- direction


@pytest.fixture(scope="module")
def directed():
    """Directed edges, most of them within two groups; and the groups."""
    group = np.arange(200) % 2
    shares = np.where(group[:, None] == group, 0.1, 0.02)
    return (np.random.default_rng(0).random((200, 200)) < shares) * 1.0, group


@pytest.mark.parametrize("orientation", ["reverse", "undirected"])
def test_directed_graphs_are_transformed_as_what_is_averaged(orientation, directed):
    """The rows of new nodes tell their targets alone; of another matrix, all neighbours."""
    A, _ = directed
    averaged = A.T if orientation == "reverse" else A + A.T
    model = FastRP(16, orientation=orientation, random_state=0).fit(A)
    same = FastRP(16, random_state=0).fit(averaged)
    np.testing.assert_array_equal(model.embedding_, same.embedding_)
    for X in (A, sparse.csr_array(A), A[:5]):
        with pytest.raises(ValueError, match=r"orientation='natural'.*X\.T"):
            model.transform(X)
    np.testing.assert_allclose(same.transform(averaged), same.embedding_, atol=1e-5)
    model.reweight((1,))


@pytest.mark.parametrize("orientation", ["reverse", "undirected"])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.coo_array])
def test_the_direction_of_symmetric_graphs_does_not_matter(orientation, form):
    A = random_graph(symmetric=True)
    model = FastRP(16, orientation=orientation, random_state=0).fit(form(A))
    np.testing.assert_allclose(model.transform(A), model.embedding_, atol=1e-5)


def test_cross_validation_of_directed_graphs(directed):
    """Slices of rows and columns are the inductive case of what is averaged, and no other."""
    A, group = directed
    classifier = LogisticRegression(max_iter=1000)
    for orientation in ("reverse", "undirected"):
        pipe = make_pipeline(FastRP(16, orientation=orientation, random_state=0), classifier)
        with pytest.raises(ValueError, match="orientation"):
            cross_val_score(pipe, A, group, cv=2, error_score="raise")
    pipe = make_pipeline(FastRP(16, random_state=0), classifier)
    assert cross_val_score(pipe, A.T, group, cv=4).mean() > 0.9


# --- features and ids


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_features(make):
    A, features = random_graph(), np.random.default_rng(0).normal(size=(80, 5))
    model = FastRP(20, feature_ratio=0.5, random_state=0)
    found = model.fit(A, features=make(features)).embedding_
    U = model._embedding.powers[0].values[:, :20].astype(np.float64)
    np.testing.assert_allclose(found, reference.fastrp(A, U, (0, 1, 1)), atol=1e-5)
    assert np.linalg.matrix_rank(U[:, 10:], tol=1e-3) == 5
    alone = FastRP(20, feature_ratio=1.0, random_state=0).fit(A, features=make(features))
    assert np.linalg.matrix_rank(alone.embedding_, tol=1e-3) <= 10


def test_features_are_told_apart_from_their_absence():
    A = random_graph()
    with pytest.raises(ValueError, match="feature_ratio"):
        FastRP(8, feature_ratio=0.5).fit(A)
    with pytest.raises(ValueError, match="feature_ratio"):
        FastRP(8).fit(A, features=np.ones((80, 2)))


@pytest.mark.parametrize("kind", [sparse.lil_array, sparse.dok_array, sparse.coo_matrix])
def test_features_in_any_sparse_form(kind):
    features = np.random.default_rng(0).normal(size=(80, 5))
    expected = fastrp(random_graph(), 8, features=features, feature_ratio=0.5, random_state=0)
    found = fastrp(random_graph(), 8, features=kind(features), feature_ratio=0.5, random_state=0)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_ids_that_are_no_valid_text():
    ids = [f"\udc80{i}" for i in range(80)]
    assert np.isfinite(fastrp(random_graph(), 8, node_ids=ids, random_state=0)).all()


# --- beside scikit-learn


def test_pipelines_and_cross_validation(digits):
    A, y = digits
    pipe = make_pipeline(FastRP(64, random_state=0), LogisticRegression(max_iter=1000))
    assert cross_val_score(pipe, A, y, cv=3).mean() > 0.8
    grid = {"fastrp__weights": [(1,), (0, 1, 1)], "fastrp__similarity": ["walk", "symmetric"]}
    search = GridSearchCV(pipe, grid, cv=3).fit(A, y)
    assert search.best_score_ > 0.8


def test_names_and_data_frames(digits):
    model = FastRP(4, random_state=0).fit(digits[0])
    assert list(model.get_feature_names_out()) == ["fastrp0", "fastrp1", "fastrp2", "fastrp3"]
    model.set_output(transform="pandas")
    frame = model.transform(digits[0][:3])
    assert frame.shape == (3, 4)
    assert list(frame.columns) == list(model.get_feature_names_out())


def test_networkx_graphs():
    graph = networkx.karate_club_graph()
    model = FastRP(8, random_state=0).fit(graph)
    np.testing.assert_array_equal(model.embedding_, fastrp(graph, 8, random_state=0))


def test_more_components_than_nodes():
    with pytest.warns(UserWarning, match="n_components=128"):
        model = FastRP(random_state=0).fit(random_graph())
    assert model.n_components_ == model.embedding_.shape[1] == 80
    with pytest.warns(UserWarning, match="n_components=128"):
        assert fastrp(random_graph()).shape == (80, 80)


def test_tags():
    square, bipartite = FastRP().__sklearn_tags__(), FastRP(bipartite=True).__sklearn_tags__()
    assert square.input_tags.pairwise
    assert not bipartite.input_tags.pairwise
    assert square.input_tags.positive_only
    assert not FastRP(similarity="adjacency").__sklearn_tags__().input_tags.positive_only


def test_a_failed_fit_changes_nothing():
    model = FastRP(8, random_state=0).fit(random_graph())
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match="square"):
        model.fit(np.ones((3, 4)))
    with pytest.raises(ValueError, match="features"):
        model.fit(random_graph(), features=[1])
    assert pickle.dumps(model) == before


def test_verbose(capsys):
    clone(FastRP(8, verbose=1)).fit(random_graph())
    assert "FastRP" in capsys.readouterr().err


# --- the refined mode


@pytest.mark.parametrize("storage", ["float32", "float64"])
@pytest.mark.parametrize("similarity", ["walk", "adjacency", "symmetric"])
@pytest.mark.parametrize(("n_steps", "own"), [(1, 0.0), (2, 0.0), (2, 2.0), (5, 0.0)])
def test_refined_equals_the_reference(storage, similarity, n_steps, own, global_random_seed):
    A = random_graph(200, 0.1, seed=global_random_seed)
    R = projection(200, 32)  # a quarter more columns than components, in units of 32
    found = fastrp(
        A, 8, weights=(1, 0.5), self_influence=own, similarity=similarity, refine=n_steps,
        projection=R, storage=storage,
    ).astype(np.float64)  # fmt: skip
    expected = reference.refined(A, R, (1, 0.5), 8, n_steps, own, similarity)
    assert relative_error(found @ found.T, expected @ expected.T) < 1e-3  # of any signs


@pytest.mark.parametrize(("storage", "tolerance"), [("float32", 1e-3), ("float64", 1e-7)])
@pytest.mark.parametrize("similarity", ["walk", "adjacency", "symmetric"])
def test_refined_rows_span_the_leading_eigenspace(storage, tolerance, similarity):
    """Of a graph that is alike at all nodes, with a gap below the eigenvalue 33."""
    ring = np.roll(np.eye(33), 1, axis=0)
    A = np.kron(np.eye(33), np.ones((6, 6)) - np.eye(6)) + np.kron(ring + ring.T, np.eye(6)) / 10
    values, vectors = np.linalg.eigh(A)
    assert values[-33] > 4 * abs(values[:-33]).max()
    leading = vectors[:, -33:-1]  # without the constant, which tells nodes nothing
    if similarity == "walk":  # factors of rows do not matter
        A = np.random.default_rng(0).uniform(0.1, 10, (198, 1)) * A
    model = FastRP(8, similarity=similarity, refine=20, storage=storage, random_state=0).fit(A)
    rows = model._embedding.powers[0].values[:, :32].astype(np.float64)
    assert subspace_angles(rows, leading).max() < tolerance


@pytest.mark.parametrize("law", ["hashed", "very_sparse", "gaussian"])
@pytest.mark.parametrize("n_steps", [0, 2])
def test_ids_survive_another_order(law, n_steps, digits):
    A, order = digits[0], np.random.default_rng(0).permutation(600)
    options = {"projection": law, "refine": n_steps, "storage": "float64", "random_state": 0}
    expected = fastrp(A, 16, node_ids=np.arange(600), **options)
    found = fastrp(A[order][:, order], 16, node_ids=order, **options)
    np.testing.assert_allclose(found, expected[order], atol=1e-9)


def test_refined_is_better(digits):
    A, y = digits
    scores = [
        cross_val_score(
            make_pipeline(
                FastRP(24, refine=refine, weights=(1, 1), random_state=0),
                LogisticRegression(C=10, max_iter=1000),
            ),
            A, y, cv=3,
        ).mean()
        for refine in (False, True)
    ]  # fmt: skip
    assert scores[1] > scores[0]


def test_refined_transform_and_reweight(digits):
    A = digits[0]
    model = FastRP(12, refine=True, weights=(1, 1), random_state=0)
    E = model.fit_transform(A)
    assert E.shape == (600, 12)
    np.testing.assert_allclose(model.transform(A), E, atol=1e-4)
    other = FastRP(12, refine=True, weights=(0, 1), random_state=0).fit(A)
    np.testing.assert_allclose(model.reweight((0, 1)).embedding_, other.embedding_, atol=1e-3)


def test_refined_with_more_components_than_the_rank():
    A = np.kron(np.eye(3), np.ones((5, 5)))
    model = FastRP(15, refine=True, random_state=0).fit(A)
    assert np.isfinite(model.embedding_).all()
    assert model.embedding_.shape == (15, 15)
