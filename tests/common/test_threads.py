"""The same bits on any number of threads, from any number of them, and no trace left."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numba
import numpy as np
import pytest
from sklearn.base import clone

from lowrank_la._support import blocks
from lowrank_la.cluster import _dissimilarities, fasterpam, pairwise_distances
from tests.common.api import fit, instance, public_estimators

ESTIMATORS = public_estimators()
SMALL = np.random.default_rng(0).normal(size=(300, 4))

# More rows than the solvers leave to one thread.
FINGERPRINT = """
import hashlib, pickle
import numpy as np
from lowrank_la._support import blocks
from tests.common.api import fit, instance, public_estimators
X = np.random.default_rng(0).normal(size=(4200, 3)).astype(np.float32)
for cls in public_estimators():
    for metric in [{}, {"metric": "cityblock"}] if "metric" in cls().get_params() else [{}]:
        estimator = fit(instance(cls).set_params(**metric), X)
        fitted = {k: v for k, v in vars(estimator).items() if k.endswith("_") and k[0] != "_"}
        print(cls.__name__, hashlib.sha256(pickle.dumps(fitted)).hexdigest())
print(len(blocks._pools))
"""


def fingerprint(estimator, X=SMALL):
    """The bits of all that a fit has found."""
    fitted = fit(clone(estimator), X)
    return {
        name: joblib.hash(value)
        for name, value in vars(fitted).items()
        if name.endswith("_") and not name.startswith("_")
    }


def test_fits_do_not_depend_on_the_number_of_threads(run_python):
    outputs = {n: run_python("-c", FINGERPRINT, NUMBA_NUM_THREADS=n) for n in ("1", "2")}
    one, two = (output.splitlines() for output in outputs.values())
    assert one[:-1] == two[:-1] != []
    assert (one[-1], two[-1]) == ("0", "1"), "a thread pool is there if two threads are used"


@pytest.fixture
def count_helpers(monkeypatch):
    """How often a pool's thread was asked to help."""
    asked, pool = [], blocks._pool

    def counted():
        asked.append(True)
        return pool()

    monkeypatch.setattr(blocks, "_pool", counted)
    return asked


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [2, 9, 80])
def test_fasterpam(k, dtype, count_helpers, global_random_seed):
    """Often, since a race may spare a single run."""
    rng = np.random.default_rng(global_random_seed)
    for n in (200, 401, 600):
        diss = rng.random((n, n)).astype(dtype)
        start = rng.choice(n, k, replace=False)
        results = [fasterpam(diss, start, n_cpu=n_cpu) for n_cpu in (1, 2, 2, 3, 5)]
        for result in results[1:]:
            assert result.loss == results[0].loss
            assert result.n_swap == results[0].n_swap > 0
            np.testing.assert_array_equal(result.medoids, results[0].medoids)
            np.testing.assert_array_equal(result.labels, results[0].labels)
            np.testing.assert_array_equal(result.history, results[0].history)
    assert count_helpers


def test_small_problems_stay_on_one_thread(count_helpers):
    diss = pairwise_distances(SMALL, n_jobs=1)
    fasterpam(diss, 5, random_state=0)
    assert len(diss) < _dissimilarities._PARALLEL_FROM
    assert not count_helpers


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "cityblock", "canberra"])
def test_distances(metric, count_helpers):
    X = np.random.default_rng(0).normal(size=(1200, 7))
    one, two = (pairwise_distances(X, metric=metric, n_jobs=n_jobs) for n_jobs in (1, 2))
    assert count_helpers
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_four_fits_at_once(cls):
    estimator = instance(cls)
    expected = fingerprint(estimator)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(fingerprint, [estimator] * 8)) == [expected] * 8


def test_four_large_fits_at_once():
    """Large enough that each asks the one pool for help."""
    diss = np.random.default_rng(0).integers(1, 1000, (600, 600)).astype(np.float32)

    def fit(_):
        return fasterpam(diss, 7, init="first", n_cpu=2).labels.tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(fit, range(8)))) == 1


def test_fits_do_not_depend_on_what_was_compiled_before(run_python, tmp_path):
    compiled, loaded = (
        run_python("-c", FINGERPRINT, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2)
    )
    assert compiled == loaded


@pytest.mark.parametrize("backend", ["threading", "loky"])
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_joblib(cls, backend):
    estimator = instance(cls)
    with joblib.parallel_config(backend, n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(fingerprint)(estimator) for _ in range(4))
    assert found == [fingerprint(estimator)] * 4


def test_loky_workers_take_one_thread():
    counted = joblib.Parallel(2, "loky")(joblib.delayed(blocks.thread_count)() for _ in range(2))
    assert counted == [1, 1]


FORK = """
import os
from tests.common.api import instance, public_estimators
from tests.common.test_threads import fingerprint
for cls in public_estimators():
    expected = fingerprint(instance(cls))
    child = os.fork()
    if not child:
        os._exit(0 if fingerprint(instance(cls)) == expected else 1)
    assert os.waitpid(child, 0)[1] == 0, cls
"""
FORK_THREADS = """
import os
import numpy as np
from lowrank_la.cluster import fasterpam
diss = np.random.default_rng(0).integers(1, 1000, (600, 600)).astype(np.float32)
expected = fasterpam(diss, 7, init="first", n_cpu=2).loss
child = os.fork()
if not child:
    os._exit(0 if fasterpam(diss, 7, init="first", n_cpu=2).loss == expected else 1)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("code", [FORK, FORK_THREADS], ids=["estimators", "two threads"])
def test_fork_after_fit(code, run_python):
    run_python("-c", code)


@pytest.mark.parametrize("layer", ["workqueue", "omp"])
def test_numba_threading_layers_are_left_alone(layer, run_python):
    code = "from tests.common.test_threads import test_four_large_fits_at_once as t; t()\n"
    code += "import numba.np.ufunc.parallel as p; assert not p._is_initialized"
    run_python("-c", code, NUMBA_THREADING_LAYER=layer)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_a_fit_leaves_no_trace(cls):
    def state():
        generator = np.random.mtrand._rand._bit_generator.state["state"]
        return (
            str(generator), np.geterr(), np.get_printoptions(), list(warnings.filters),
            dict(os.environ), numba.get_num_threads(), numba.config.NUMBA_NUM_THREADS,
        )  # fmt: skip

    before = state()
    fit(instance(cls), SMALL)
    assert state() == before
