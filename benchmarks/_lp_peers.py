"""Solvers of lp regression of others, and what users write, behind one signature.

Each takes a problem and the objective that it has to reach, but for a relative 1e-8, and returns
the coefficients: who has a tolerance gets the largest one that does, who has none stops there.
"""

import warnings

import numpy as np
from scipy import linalg, optimize
from sklearn.linear_model import QuantileRegressor

TOL = 1e-8  # relative, of the objective
_LARGEST_GAP = 0.04  # pinball-qr refuses quantiles that are not further from 0 and 1
_MAX_ITER = 500


def pfn(problem, _):
    """pinball-qr's Frisch-Newton with preprocessing, as it is called by default."""
    from pinball.linear.solvers.pfn import PreprocessingSolver

    return _one_by_one(problem, PreprocessingSolver())


def pfn_tuned(problem, least):
    """The same with a tolerance that suffices, and a wider band, which was the fastest."""
    from pinball.linear.solvers.pfn import PreprocessingSolver

    return _one_by_one(problem, PreprocessingSolver(_loose_fnb(problem, least), mm_factor=1.2))


def fnb(problem, least):
    """pinball-qr's Frisch-Newton with a tolerance that suffices."""
    return _one_by_one(problem, _loose_fnb(problem, least))


def _loose_fnb(problem, least):
    from pinball.linear.solvers.fnb import FNBSolver

    return FNBSolver(eps=min(_gap(problem, least), _LARGEST_GAP))


def _gap(problem, least):
    """Return the gap of the pinball loss that may be left."""
    return TOL * least / 2 / np.size(problem.quantile)


def _one_by_one(problem, solver):
    def solve(quantile):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it tells that it doubles the sample
            return solver.solve(problem.A, problem.b, quantile).coefficients

    return _each(problem, solve)


def _each(problem, solve):
    quantiles = np.atleast_1d(problem.quantile).tolist()
    x = np.column_stack([solve(quantile) for quantile in quantiles])
    return x if np.ndim(problem.quantile) else x[:, 0]


def highs(problem, _):
    """scikit-learn's linear program."""

    def solve(quantile):
        model = QuantileRegressor(quantile=quantile, alpha=0, fit_intercept=False, solver="highs")
        return model.fit(problem.A, problem.b).coef_

    return _each(problem, solve)


def quantreg(problem, _):
    """Reweighted least squares of statsmodels."""
    from statsmodels.regression.quantile_regression import QuantReg

    def solve(quantile):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its limit of iterations, and cycles
            return QuantReg(problem.b, problem.A).fit(q=quantile).params

    return _each(problem, solve)


def pyfixest(problem, least):
    """The Frisch-Newton of pyfixest, without formula and covariances; its tolerance suffices."""
    from pyfixest.estimation.quantreg.quantreg_ import Quantreg

    def solve(quantile):
        return Quantreg.fit_qreg_fn(
            None, problem.A, problem.b, quantile, tol=_gap(problem, least), maxiter=_MAX_ITER
        )[0]

    return _each(problem, solve)


def irls(problem, _, iterations=50):
    """Reweighted least squares, as users write them for quantiles."""
    A, b = problem.A, problem.b

    def solve(quantile):
        x = _normal(A, b, np.ones(len(b)))
        floor = 1e-6 * np.mean(abs(b - A @ x))
        for _ in range(iterations):
            r = b - A @ x
            x = _normal(A, b, abs(quantile - (r < 0)) / np.maximum(abs(r), floor))
        return x

    return _each(problem, solve)


def _normal(A, b, weights):
    weighted = A * weights[:, None]
    return linalg.solve(A.T @ weighted, b @ weighted, assume_a="pos")


def newton(problem, least):
    """Newton's method, a step of reweighted least squares each, with halved steps."""
    A, b, p = problem.A, problem.b, problem.p
    x = _normal(A, b, np.ones(len(b)))
    r = b - A @ x
    scale = abs(r).max()
    value = problem.objective(x)
    for _ in range(_MAX_ITER):
        if value <= (1 + TOL) * least:
            break
        sizes = np.maximum(abs(r) / scale, 1e-8)
        step, t = _normal(A, r, sizes ** (p - 2)), 1 / (p - 1)
        moved = A @ step
        while t > 1e-8 and np.sum(abs(r - t * moved) ** p) >= value:
            t /= 2
        x, r = x + t * step, r - t * moved
        value = np.sum(abs(r) ** p)
    return x


def lbfgs(problem, least):
    """SciPy's L-BFGS-B on the powers, in coordinates of orthonormal columns."""
    A, b, p = problem.A, problem.b, problem.p
    to_x = linalg.inv(linalg.cholesky(A.T @ A))
    start = to_x.T @ (A.T @ b)
    unit = problem.objective(to_x @ start)

    def value_and_gradient(y):
        r = b - A @ (to_x @ y)
        powers = abs(r) ** (p - 1)
        return np.sum(powers * abs(r)) / unit, -p / unit * (to_x.T @ (A.T @ (powers * np.sign(r))))

    def stop(intermediate_result):
        if intermediate_result.fun * unit <= (1 + TOL) * least:
            raise StopIteration

    options = {"maxiter": _MAX_ITER, "ftol": 0.0, "gtol": 0.0, "maxcor": 20}
    return (
        to_x
        @ optimize.minimize(
            value_and_gradient, start, jac=True, method="L-BFGS-B", options=options, callback=stop
        ).x
    )


def chebyshev(problem, _, method="highs-ipm"):
    """SciPy's linear program of the largest residual, which two sides bound."""
    A, b = problem.A, problem.b
    bounds = np.ones((len(b), 1))
    found = optimize.linprog(
        np.r_[np.zeros(A.shape[1]), 1.0],
        A_ub=np.block([[A, -bounds], [-A, -bounds]]), b_ub=np.r_[b, -b],
        bounds=(None, None), method=method,
    )  # fmt: skip
    return found.x[:-1]


def chebyshev_dual(problem, _, method="highs-ds"):
    """The dual program, of few equations: its multipliers are the coefficients."""
    A, b = problem.A, problem.b
    signed = np.vstack([A, -A]).T
    found = optimize.linprog(
        -np.r_[b, -b], A_eq=np.vstack([signed, np.ones(signed.shape[1])]),
        b_eq=np.r_[np.zeros(A.shape[1]), 1.0], method=method,
    )  # fmt: skip
    return -found.eqlin.marginals[:-1]


PEERS = {
    "pinball pfn": pfn,
    "pinball pfn, tuned": pfn_tuned,
    "pinball fnb": fnb,
    "QuantileRegressor, highs": highs,
    "statsmodels QuantReg": quantreg,
    "pyfixest Frisch-Newton": pyfixest,
    "numpy IRLS, 50 iterations": irls,
    "numpy Newton": newton,
    "scipy L-BFGS-B": lbfgs,
    "linprog, highs-ipm": chebyshev,
    "linprog, dual": chebyshev_dual,
}
PACKAGES = ("pinball", "statsmodels", "pyfixest")
