"""Other packages that fill in matrices, and what users write, each behind the same signature.

`PREDICT` are of ratings: each prepares these as its package wants them, and returns a function
that fits and predicts what is held out. `FACTORS` are of exact matrices, `fill` of pictures.
"""

import contextlib
import functools
import importlib.util
import io
import warnings

import numpy as np
from scipy import sparse

SWEEPS = 200  # of Gibbs samplers
_KEPT = 180  # of these, which are averaged
_PACKAGES = {"cmfrec": "cmfrec", "Cornac": "cornac", "Surprise": "surprise", "myFM": "myfm"}


def installed(contestants):
    """Leave out what needs a package that is not installed; a name begins with the package's."""
    packages = {name: _PACKAGES.get(name.split()[0]) for name in contestants}
    return {
        name: call
        for name, call in contestants.items()
        if packages[name] is None or importlib.util.find_spec(packages[name])
    }


def needed(bench, name):
    """Skip the section without a package; be silent about what it says when it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # myFM's, of pkg_resources
        bench.peer(name)


def bias_only(ratings):
    """Effects of rows and columns, alternately, with a few ratings of the mean beside theirs."""
    return functools.partial(_bias_only, ratings, 5.0)


def _bias_only(ratings, ridge):
    r, c, mean = ratings.rows, ratings.columns, ratings.values.mean()
    row_bias, column_bias = (np.zeros(size) for size in ratings.shape)
    counts = [np.bincount(i, minlength=size) for i, size in zip((r, c), ratings.shape, strict=True)]
    for _ in range(10):
        left = ratings.values - mean - row_bias[r]
        column_bias = np.bincount(c, left, ratings.shape[1]) / (counts[1] + ridge)
        left = ratings.values - mean - column_bias[c]
        row_bias = np.bincount(r, left, ratings.shape[0]) / (counts[0] + ridge)
    return mean + row_bias[ratings.test_rows] + column_bias[ratings.test_columns]


def cmfrec(ratings, lambda_=15.0, use_cg=False, niter=10, use_float=True):
    """Alternating least squares, on one thread, without what predictions do not need."""
    X = coordinates(ratings, use_float)
    options = {"lambda_": lambda_, "use_cg": use_cg, "niter": niter, "use_float": use_float}

    def call():
        model = cmfrec_model(10, **options).fit(X)
        return model.predict(ratings.test_rows, ratings.test_columns)

    return call


def cmfrec_model(k, **options):
    from cmfrec import CMF

    fast = {"nthreads": 1, "precompute_for_predictions": False, "verbose": False}
    return CMF(k=k, method="als", **fast | options)


def cmfrec_factors(problem, lambda_, niter=100):
    """Return the factors of a matrix without biases."""
    options = {"user_bias": False, "item_bias": False, "center": False, "use_float": False}
    model = cmfrec_model(problem.rank, lambda_=lambda_, niter=niter, **options)
    model.fit(coordinates(problem.known, use_float=False))
    return model.A_, model.B_


def coordinates(known, use_float=True):
    """Return the entries as a sparse matrix, of coordinates."""
    values = known.values.astype(np.float32 if use_float else np.float64)
    return sparse.coo_matrix((values, (known.rows, known.columns)), shape=known.shape)


def myfm(ratings, n_sweeps=SWEEPS):
    from myfm import MyFMRegressor

    m, n = ratings.shape
    X = _one_hot(ratings.rows, ratings.columns, m, n)
    kept = n_sweeps * _KEPT // SWEEPS
    X_test = _one_hot(ratings.test_rows, ratings.test_columns, m, n)

    def call():
        model = MyFMRegressor(rank=10, random_seed=0)
        with contextlib.redirect_stderr(io.StringIO()):  # a progress bar
            model.fit(X, ratings.values, n_iter=n_sweeps, n_kept_samples=kept, group_shapes=[m, n])
        return model.predict(X_test)

    return call


def _one_hot(rows, columns, m, n):
    indices = np.stack([rows, columns + np.int64(m)], axis=1).ravel()
    starts = np.arange(0, len(indices) + 1, 2)
    return sparse.csr_matrix((np.ones(len(indices)), indices, starts), shape=(len(rows), m + n))


def surprise_svd(ratings, **options):
    from surprise import SVD

    train = _trainset(ratings)
    pairs = list(zip(ratings.test_rows.tolist(), ratings.test_columns.tolist(), strict=True))

    def call():
        model = SVD(random_state=0, **options).fit(train)
        return np.array([model.predict(u, i).est for u, i in pairs])

    return call


def _trainset(ratings):
    from surprise import Dataset, Reader

    columns = (part.tolist() for part in (ratings.rows, ratings.columns, ratings.values))
    triples = [(*triple, None) for triple in zip(*columns, strict=True)]
    return Dataset(Reader(rating_scale=(1, 5))).construct_trainset(triples)


def cornac_mf(ratings, **options):
    from cornac.data import Dataset
    from cornac.models import MF

    triples = zip(ratings.rows.tolist(), ratings.columns.tolist(), ratings.values, strict=True)
    train = Dataset.from_uir(list(triples), seed=0)
    users, items = (
        np.array([known.get(i, -1) for i in places.tolist()])
        for known, places in (
            (train.uid_map, ratings.test_rows), (train.iid_map, ratings.test_columns)
        )
    )  # fmt: skip

    def call():
        model = MF(k=10, seed=0, num_threads=1, **options).fit(train)
        found = np.full(len(users), model.global_mean)
        for index, bias in (users, model.u_biases), (items, model.i_biases):
            found += np.where(index >= 0, bias[index], 0)
        both = (users >= 0) & (items >= 0)
        products = np.einsum("ij,ij->i", model.u_factors[users], model.i_factors[items])
        return found + np.where(both, products, 0)

    return call
