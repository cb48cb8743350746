"""What others would do: scikit-learn, TensorLy, nuclear norms by CVXPY or by proximal steps.

Those of `REGRESSIONS` take samples and targets, and return the coefficient as a matrix.
"""

import functools
import importlib.util

import numpy as np
from sklearn.linear_model import LassoCV, Ridge, RidgeCV

PACKAGES = {"CVXPY": "cvxpy", "TensorLy": "tensorly"}
_HELD_OUT = 0.2  # of the samples, to choose a setting by
_PENALTIES = np.geomspace(0.5, 0.02, 8)  # relative to the least that leaves nothing
_STEPS, _CHANGE = 300, 1e-5  # of the proximal gradient method, for each penalty


def installed(contestants):
    """Leave out what needs a package that is not installed; a name begins with the package's."""
    packages = {name: PACKAGES.get(name.split()[0]) for name in contestants}
    return {
        name: call
        for name, call in contestants.items()
        if packages[name] is None or importlib.util.find_spec(packages[name])
    }


def sklearn_coefficient(model, X, y):
    side = round(X.shape[1] ** 0.5)
    return model.fit(X, y).coef_.reshape(side, side)


def cp_regression(rank, X, y):
    """Alternate ridge regressions of one factor, given the other; TensorLy's, by its defaults."""
    from tensorly.regression.cp_regression import CPRegressor

    side = round(X.shape[1] ** 0.5)
    model = CPRegressor(weight_rank=rank, reg_W=1, n_iter_max=100, random_state=0, verbose=0)
    model.fit(X.reshape(-1, side, side), y - y.mean())
    return model.weight_tensor_


def cp_regression_chosen(X, y, ranks=(1, 2, 3, 4)):
    """Choose the rank by samples that are held out."""
    rank = chosen(lambda rank, *samples: cp_regression(rank, *samples), ranks, X, y)
    return cp_regression(rank, X, y)


def chosen(fit, settings, X, y):
    """Return the setting that predicts held-out samples best."""
    held = np.random.default_rng(0).random(len(y)) < _HELD_OUT

    def error(setting):
        found = fit(setting, X[~held], y[~held])
        return np.mean((X[held] @ found.ravel() - y[held]) ** 2)

    return min(settings, key=error)


def nuclear_norm_path(X, y):
    """Least squares and a multiple of the nuclear norm, which held-out samples choose."""
    held = np.random.default_rng(0).random(len(y)) < _HELD_OUT
    path = proximal_path(X[~held], y[~held], _PENALTIES)
    errors = [np.mean((X[held] @ found.ravel() - y[held]) ** 2) for found in path]
    best = int(np.argmin(errors))
    return proximal_path(X, y, _PENALTIES[: best + 1])[-1]


def proximal_path(X, y, penalties):
    """Accelerated proximal gradient steps, from penalty to penalty; return each minimiser.

    The method of Toh and Yun (2010): singular values are shrunk after each step.
    """
    side, rng = round(X.shape[1] ** 0.5), np.random.default_rng(0)
    curvature = 1.02 * _norm(X, rng) ** 2
    most = np.linalg.norm((X.T @ y).reshape(side, side), 2)
    found, path = np.zeros((side, side)), []
    for penalty in penalties:
        found = _proximal(X, y, found, penalty * most, curvature)
        path.append(found)
    return path


def _norm(X, rng, steps=30):
    v = rng.standard_normal(X.shape[1])
    for _ in range(steps):
        v = X.T @ (X @ (v / np.linalg.norm(v)))
    return np.linalg.norm(v) ** 0.5


def _proximal(X, y, found, penalty, curvature):
    """Minimise half the squared residuals and the penalty times the nuclear norm."""
    ahead, momentum = found, 1.0
    for _ in range(_STEPS):
        gradient = (X.T @ (X @ ahead.ravel() - y)).reshape(found.shape)
        U, sizes, Vt = np.linalg.svd(ahead - gradient / curvature, full_matrices=False)
        before, found = found, (U * np.maximum(sizes - penalty / curvature, 0)) @ Vt
        step = found - before
        if np.linalg.norm(step) <= _CHANGE * max(np.linalg.norm(found), 1e-300):
            break
        if np.vdot(ahead - found, step) > 0:  # it has gone too far: begin again
            ahead, momentum = found, 1.0
            continue
        last, momentum = momentum, (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = found + (last - 1) / momentum * step
    return found


def nuclear_cvxpy(solver, A, y, shape, symmetric=False):
    """Return the matrix of the least nuclear norm that has these measurements."""
    import cvxpy

    if symmetric:
        X = cvxpy.Variable(shape, PSD=True)
        norm = cvxpy.trace(X)
    else:
        X = cvxpy.Variable(shape)
        norm = cvxpy.normNuc(X)
    problem = cvxpy.Problem(cvxpy.Minimize(norm), [A @ cvxpy.vec(X, order="C") == y])
    problem.solve(solver=solver, **CVXPY_OPTIONS[solver])
    return X.value


CVXPY_OPTIONS = {
    "CLARABEL": {},
    "SCS": {"eps": 1e-8, "max_iters": 5000},
}
REGRESSIONS = {
    "Ridge": functools.partial(sklearn_coefficient, Ridge()),
    "RidgeCV": functools.partial(sklearn_coefficient, RidgeCV(np.logspace(-2, 6, 9))),
    "LassoCV": functools.partial(sklearn_coefficient, LassoCV(alphas=10, cv=3, random_state=0)),
    "nuclear norm, held out": nuclear_norm_path,
    "TensorLy CPRegressor, held out": cp_regression_chosen,
    "TensorLy CPRegressor, rank 1": functools.partial(cp_regression, 1),
}
