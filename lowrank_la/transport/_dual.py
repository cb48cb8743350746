"""The dual problem in the potentials of both sides: what the published Newton methods maximise.

The semi-dual problem of `_semidual` has eliminated one of them. The dual of both,

    D(h, g) = a'h + b'g - reg sum(P)    with    P[i, j] = a[i] exp((h[i] + g[j] - C[i, j]) / reg),

has the gradient (a - P 1, b - P' 1), and the Hessian [[diag(P 1), P], [P', diag(P' 1)]] / -reg.
"""

from typing import Any, NamedTuple

import numpy as np

_LEAST_MASS = 1e-100  # of a row or column that has nearly lost its own, to divide by
_CG_TOL = 1e-5
_EPS = float(np.finfo(np.float64).eps)


class DualPoint(NamedTuple):
    """Potentials, and the plan there."""

    h: Any  # (n,) of the rows, relative to their masses
    g: Any  # (m,) of the columns
    plan: Any  # (n, m)
    rows: Any  # (n,) masses of the rows of the plan
    columns: Any  # (m,)
    error: float  # L1 distance of both from a and b
    value: float  # of the dual


class Step(NamedTuple):
    """A direction, and what the quadratic model says of it."""

    h: Any
    g: Any
    slope: float  # of the dual along it
    curvature: float  # minus the second derivative of the dual, with the Hessian sparsified

    def promises(self, length):
        """Rise of the quadratic model over this part of the step."""
        return length * (self.slope - length * self.curvature / 2)


class Dual:
    """The dual problem at one strength of regularisation."""

    def __init__(self, problem, reg, trace, method):
        if problem.kind != "dense":
            raise ValueError(f"method {method!r} needs the matrix of costs: give it to `solve`")
        self.problem, self.reg, self.trace, self.kernels = problem, reg, trace, problem.kernels
        self.xp = self.kernels.xp

    def at(self, h, g):
        """Evaluate the dual, with the plan; a step that went too far gives infinite masses."""
        problem, plan = self.problem, self.xp.empty(self.problem.costs.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            rows, columns, _ = problem.evaluate(h, g, self.reg, plan)
            error = float(abs(rows - problem.a).sum() + abs(columns - problem.b).sum())
            value = float(problem.a @ h + problem.b @ g - self.reg * rows.sum())
        self.trace.passed(error)
        return DualPoint(h, g, plan, rows, columns, error, value)

    def moved(self, point, step, length):
        """Evaluate the dual after a part of a step."""
        return self.at(point.h + length * step.h, point.g + length * step.g)

    def rise(self, point, trial, promised):
        """How much the dual has risen; where rounding hides it, as the error has fallen."""
        a, b = self.problem.a, self.problem.b
        noise = 4 * _EPS * (float(a @ abs(point.h) + b @ abs(point.g)) + self.reg)
        if promised > 100 * noise:
            return trial.value - point.value
        return promised * (1 - trial.error / point.error)

    def newton_step(self, point, bound, shift, max_cg):
        """Solve the Newton equation without the entries of the plan that are below the bound.

        The diagonal of the Hessian stays as it was but for the shift, in units of mass, so that
        what is solved is never indefinite. The potentials of the rows are eliminated first.
        """
        xp, (kept, of_row) = self.xp, self._entries(point.plan, bound)
        rows, columns = (xp.maximum(x + shift, _LEAST_MASS) for x in (point.rows, point.columns))
        up_h, up_g = self.problem.a - point.rows, self.problem.b - point.columns
        moved = kept.values * (up_h / rows)[of_row]
        reduced = up_g - xp.bincount(kept.columns, moved, len(columns))
        step_g, n_cg = self.kernels.solve_schur(kept, rows, columns, reduced, _CG_TOL, max_cg)
        self.trace.count(n_cg=n_cg)
        moved = kept.values * step_g[kept.columns]
        step_h = (up_h - xp.bincount(of_row, moved, len(rows))) / rows
        slope = float(up_h @ step_h + up_g @ step_g)
        curvature = slope - shift * float(step_h @ step_h + step_g @ step_g)
        return Step(self.reg * step_h, self.reg * step_g, self.reg * slope, self.reg * curvature)

    def _entries(self, plan, bound):
        """Entries of the plan from the bound on, and the row that each is in."""
        xp, (n, m) = self.xp, plan.shape
        places = xp.flatnonzero(plan >= bound)
        i, j = divmod(places, m)
        stops = xp.cumsum(xp.bincount(i, minlength=n))
        starts = xp.concatenate([xp.zeros(1, stops.dtype), stops[:-1]])
        return self.kernels.Entries(starts, stops, j.astype(np.int32), plan.ravel()[places]), i
