"""The method "auto": Newton's method on the semi-dual problem, from large to small regularisation.

The potentials of the rows follow from those of the columns: one pass over the costs scales the rows
of the plan to their masses exactly. What is left to solve is a concave problem in the fewer
potentials. Its gradient is the marginal error of the columns, and its Hessian, times -reg, the
Laplacian of a graph with as few edges as the plan has entries that matter.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from .._support.cuda import to_host

_FIRST_REG = 0.2  # of the median cost: where the plan is still smooth
_FACTOR = 4.0  # between stages
# Error that ends a stage that is not the last, and passes that a stage may take. What stage leads
# to is hard to leave if it was left too early: a solution that does not come soon is sought again.
_ATTEMPTS = ((1e-2, 60), (1e-4, 300), (1e-6, 1 << 62))
_NEAR = 0.3  # error of potentials that no larger regularisation needs to lead to
_CHEAP_STEPS = 2  # scaling steps that begin a stage
_RADIUS = 8.0  # first bound of a Newton step, in units of reg
_LISTED = 64.0  # entries of less than exp(-64) of their masses are left out of the list ...
_LOST = 42.0  # ... as long as they are certain to stay below exp(-42)
_LISTABLE = 1 << 16  # entries of a problem that is large enough for a list
_LISTED_SHARE = 0.12  # of all entries: with more, a list is no faster
_FEW, _MOST = 1 << 22, 1 << 27  # entries that are kept: on the way 1 / 32 of all, or few; at most
_MAX_CG = 2000
_STALLED = 20  # passes without a smaller error, near the limit of the arithmetic
_EPS = float(np.finfo(np.float64).eps)


class Point(NamedTuple):
    """Potentials, and what a pass over the costs found there."""

    phi: Any  # (m,) of the columns, relative to their masses
    h: Any  # (n,) of the rows
    columns: Any  # (m,) masses of the columns of the plan
    error: float  # L1 distance between these masses and b
    dual: float
    kept: Any  # the entries of the plan that matter, if they were asked for


class SemiDual:
    """The semi-dual problem, and the entries of the costs that are known to matter."""

    def __init__(self, problem, trace):
        self.problem, self.trace, self.kernels = problem, trace, problem.kernels
        xp = self.kernels.xp
        self.log_b = xp.log(problem.b)
        self.h = xp.zeros(len(problem.a))
        self.room, self.limit, self.spare = 0, problem.size, None
        self.sample = problem.costs.some_rows()
        self.listed, self.references = None, []

    def at(self, phi, reg, share=0.0, listing=False):
        """Evaluate the potentials phi of the columns."""
        problem, g, h = self.problem, phi + reg * self.log_b, self.h.copy()
        if self.listed and not self._list_holds(g, reg):
            self.listed, self.references = None, []
        costs = (self.listed, "listed") if self.listed else (problem.arrays, problem.kind)
        limit = min(_MOST, int(_LISTED_SHARE * problem.size) if listing else self.limit)
        columns, kept = self.kernels.scaling_pass(
            *costs, problem.a, g, reg, h, problem.n_threads,
            math.exp(-_LISTED) if listing else share, problem.b,
            self.room, limit, listing, self.spare,
        )  # fmt: skip
        self.h, error = h, float(abs(columns - problem.b).sum())
        self.trace.passed(error)
        if kept is not None:
            self.spare = None
        if listing and kept is not None:
            self.listed, kept = kept, None
            self.references.append((g, reg))
        if kept is not None:
            self.room = max(self.room, int(1.2 * kept.size))
        return Point(phi, h, columns, error, float(problem.a @ h + problem.b @ phi), kept)

    def release(self, point):
        """Let the entries of a point that is no longer needed be written over."""
        self.spare = self.spare if point.kept is None else point.kept

    def _list_holds(self, g, reg):
        """Whether no entry outside the list can have come to matter."""
        for g_then, reg_then in self.references:
            moved = g - g_then
            # The potentials of the rows follow, and rise a little where reg has fallen.
            follows = (reg_then - reg) * math.log(len(g))
            if float(moved.max() - moved.min()) + follows > _LISTED * reg_then - _LOST * reg:
                return False
        return True

    def is_listable(self, point, reg):
        """Whether few entries matter, as far as some of the rows tell."""
        if self.listed or self.problem.size < _LISTABLE:
            return False
        density = self.density(point, reg, -_LISTED)
        if density < _LISTED_SHARE:
            self.make_room(density)
        return density < _LISTED_SHARE

    def make_room(self, density):
        """Expect this share of all entries to be kept."""
        self.room = max(self.room, int(1.5 * density * self.problem.size))

    def density(self, point, reg, log_share):
        """Share of the entries of the plan that are above a share of both masses, in some rows."""
        g, h, step = point.phi + reg * self.log_b, point.h, -(-len(point.h) // len(self.sample))
        g, log_b, h, a = map(to_host, (g, self.log_b, h[::step], self.problem.a[::step]))
        bounds = np.minimum(log_b - np.log(a)[:, None], 0) + log_share
        return np.count_nonzero(g - (self.sample - h[:, None]) > reg * bounds) / self.sample.size

    def scaled(self, point, reg):
        """Potentials after a scaling step: they would be right if the rows stayed as they are."""
        xp = self.kernels.xp
        return point.phi + reg * (self.log_b - xp.log(xp.maximum(point.columns, 1e-300)))

    def newton_step(self, point, reg, radius, tol):
        """Solve the Newton equation, with no potential moving by more than radius * reg."""
        gradient = self.problem.b - point.columns
        # The matrix is an M-matrix: by the maximum principle this diagonal bounds the solution.
        diagonal = point.columns + abs(gradient) / radius
        accuracy = max(min(0.05, 0.1 * point.error), 0.1 * tol / point.error)
        step, n_cg = self.kernels.solve_schur(
            point.kept, self.problem.a, diagonal, gradient, accuracy, _MAX_CG
        )
        self.trace.count(n_cg=n_cg)
        return reg * step, float(gradient @ step) * reg

    def is_near(self, phi, reg):
        """Whether given potentials are good enough to start from at once."""
        self.trace.begin(reg)
        return self.at(phi - float(self.problem.b @ phi), reg).error < _NEAR

    def rises(self, point, trial, slope):
        """Whether the dual has risen enough, or, where it is flat, the error has fallen."""
        noise = 4 * _EPS * float(self.problem.a @ abs(point.h) + self.problem.b @ abs(point.phi))
        if slope > 100 * noise:
            return trial.dual - point.dual > 1e-4 * slope
        return trial.error < 0.9 * point.error


class _Stage:
    """Scaling steps and Newton steps at one strength of regularisation."""

    def __init__(self, dual, reg, tol, max_passes):
        self.dual, self.reg, self.tol = dual, reg, tol
        self.n_scaled, self.rate, self.radius, self.density = 0, 0.0, _RADIUS, 0.0
        self.best, self.idle = np.inf, 0
        self.last_pass = len(dual.trace.history) + max_passes
        dual.trace.begin(reg)

    def run(self, phi):
        """Return the point where the error is small enough, or the passes have run out."""
        dual = self.dual
        # A constant in all potentials changes nothing, but would cost them digits.
        point = dual.at(phi - float(dual.problem.b @ phi), self.reg)
        while point.error > self.tol and not (self.ended or self._stalls(point)):
            if self._scaling_pays(point):
                point = self._scale(point)
                continue
            if point.kept is None:
                point = dual.at(point.phi, self.reg, self._share(point.error))
            step = self._scale if point.kept is None else self._newton  # None: too many entries
            point = step(point)
        return point

    @property
    def ended(self):
        trace = self.dual.trace
        return trace.ended or len(trace.history) >= self.last_pass

    def _stalls(self, point):
        """Whether the error has stopped falling where rounding errors begin."""
        self.idle += 1
        if point.error < 0.9 * self.best:
            self.best, self.idle = point.error, 0
        spread = max(float(x.max() - x.min()) for x in (point.h, point.phi))
        return self.idle >= _STALLED and self.best < 64 * _EPS * spread / self.reg

    def _scaling_pays(self, point):
        """Whether so few scaling steps are left that Newton's would not be done before."""
        if self.n_scaled < _CHEAP_STEPS:
            return True
        most = 2 + 20 * self.density
        if not 0 < self.rate < 1 or self.n_scaled > most:  # what was foreseen did not come true
            return False
        return math.log(self.tol / point.error) / math.log(self.rate) < most

    def _share(self, error):
        return min(1e-3, 1e-2 * error) / len(self.dual.problem.b)

    def _scale(self, point):
        self.n_scaled += 1
        self.dual.trace.count(n_sinkhorn=1)
        phi = self.dual.scaled(point, self.reg)
        share, listing = 0.0, False
        if self.n_scaled == _CHEAP_STEPS:  # Newton's may follow
            share, listing = self._share(point.error), self.dual.is_listable(point, self.reg)
            self.density = self.dual.density(point, self.reg, math.log(share))
            self.dual.make_room(self.density)
        self.dual.release(point)
        after = self.dual.at(phi, self.reg, share, listing)
        self.rate = after.error / point.error
        return after

    def _newton(self, point):
        dual = self.dual
        self.density = point.kept.size / dual.problem.size
        step, slope = dual.newton_step(point, self.reg, self.radius, self.tol)
        trial = dual.at(point.phi + step, self.reg, self._share(point.error))
        if not dual.rises(point, trial, slope):
            self.radius = max(min(self.radius, float(abs(step).max()) / self.reg) / 4, 0.1)
            dual.release(trial)
            return self._scale(point)
        dual.release(point)
        dual.trace.count(n_newton=1)
        # A full Newton step gains half of what the slope promises.
        if trial.dual - point.dual > 0.3 * slope:
            self.radius *= 4
        return trial


def strengths(costs, reg):
    """Falling strengths of regularisation that end with reg."""
    first = _FIRST_REG * costs.spread[1]
    n = round(math.log(first / reg) / math.log(_FACTOR)) if first > reg else 0
    return [first * (reg / first) ** (i / n) for i in range(n)] + [reg]


def semidual(problem, reg, tol, trace, phi=None):
    """Maximise the dual; return the potentials h and g of rows and columns."""
    dual = SemiDual(problem, trace)
    regs = strengths(problem.costs, reg)
    if phi is not None and dual.is_near(phi, reg):
        regs = [reg]
    start = problem.kernels.xp.zeros(len(problem.b)) if phi is None else phi
    for stage_error, max_passes in _ATTEMPTS:
        point = _follow(dual, start, regs, stage_error, tol, max_passes)
        if point.error <= tol or trace.ended:
            break
        start = point.phi if regs == [reg] else start
    return point.h, point.phi + reg * dual.log_b


def _follow(dual, phi, regs, stage_error, tol, max_passes):
    """Solve for one strength after the other, each from what was found before."""
    found, dual.limit = [], max(_FEW, dual.problem.size // 32)
    for reg in regs[:-1]:
        if dual.trace.ended:
            break
        phi = _extrapolated(found, phi, reg)
        phi = _Stage(dual, reg, stage_error, max_passes).run(phi).phi
        found = [*found[-1:], (reg, phi)]
    phi, dual.limit = _extrapolated(found, phi, regs[-1]), dual.problem.size
    while True:
        point = _Stage(dual, regs[-1], tol, max_passes).run(phi)
        if not dual.listed or point.error > tol:
            return point
        dual.listed, phi = None, point.phi  # a pass over all costs verifies, or begins again


def _extrapolated(found, phi, reg):
    """Follow the potentials of two stages to a smaller strength: they are nearly linear in it."""
    if len(found) < 2:
        return phi
    (reg_0, phi_0), (reg_1, phi_1) = found
    return phi_1 + (phi_1 - phi_0) * (reg - reg_1) / (reg_1 - reg_0)
