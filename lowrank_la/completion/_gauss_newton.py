"""Gauss-Newton steps: least squares of both factors at once, where alternating ones are slow.

The rows are eliminated: they are least squares for whatever the columns are (variable projection;
Golub and Pereyra 1973; Okatani, Yoshida and Deguchi 2011). What is left is solved for the columns
by conjugate gradients, two passes over the entries a step. Where a residual remains, Newton's
steps follow: the second derivative of the product costs little more.
"""

import numpy as np

from .._support.blas import single_threaded_blas
from .._support.blocks import aligned, run_blocks
from . import _cpu, _tangent_cpu
from ._altmin import residuals

_STEPS = 200  # at most
_HURRIED = 30  # at most, where no ridge keeps the matrix from growing
_CG_STEPS = 100  # for one step, at most
_FORCING = 0.1  # share of the gradient that conjugate gradients leave, at most
_FINEST = 1e-6  # and at least
_DAMPING = 1e-3  # the least that is not zero
_HOPELESS = 1e6  # a step with such damping goes nowhere
_TINY = np.finfo(float).tiny
_GAIN = 1e-6  # share of the objective that a step must promise
_SLOW = 0.5  # share of the objective that is left by a step of Gauss and Newton, at least
_GROWTH = 2.0  # of the matrix: it is on its way to infinity
_NO_GAPS = np.empty(0)
_LANES = 8  # rows of arrays are as long as some cache lines


def gauss_newton(
    entries,
    model,
    *,
    ridge=0.0,
    exponent=0.0,
    fit_bias=False,
    tol=1e-10,
    left=np.inf,
    watch=None,
):
    """Improve a model until its residual vanishes, or no step promises a gain.

    No step raises the objective: one that would is damped, and tried again.

    Parameters
    ----------
    entries : Entries
        In float64, as all that follows.
    model : Model
        Changed in place.
    ridge, exponent : float
    fit_bias : bool
    tol : float
        Root mean square residual that is zero.
    left : float
        Share of the residual that the second step, and each after it, leaves at most: it is
        given up otherwise.
    watch : callable, optional
        ``watch(rms)`` after each step; True asks to stop.

    Returns
    -------
    rms : float
        Root mean square residual, of the weights if there are some.
    converged : bool
        False if it was given up, or if the matrix is on its way to infinity.
    """
    step = Projection(entries, model, ridge, exponent, fit_bias)
    largest = np.inf if ridge else _GROWTH * _norm(model)
    for t in range(_STEPS if ridge else _HURRIED):
        before = step.rms
        if before <= tol or not step.take(tol):
            return before, bool(step.damping < 1)
        if (watch is not None and watch(step.rms)) or _norm(model) > largest:
            break
        if t and step.rms > left * before:
            break
    return step.rms, step.rms <= tol


@single_threaded_blas()
def _norm(model):
    """Frobenius norm of the product of the factors."""
    grams = [factor.values.T @ factor.values for factor in (model.rows, model.columns)]
    return float(np.sum(grams[0] * grams[1])) ** 0.5


def _dot(x, y):
    return float(np.einsum("i,i->", x.reshape(-1), y.reshape(-1)))


class _Side:
    """One factor, and the arrays that steps need.

    Attributes
    ----------
    design : ndarray of shape (n, w)
        What others' changes are multiplied by: rows of the factor, and 1 if there is a bias.
    unknown : ndarray of shape (n, w)
        What is changed: rows of the factor, and the bias.
    triangles : ndarray of shape (n, d (d + 1) / 2)
        Cholesky factors of the lines' Gram matrices.
    gradient : ndarray of shape (n, w)
        Half of it, with the other sign.
    """

    def __init__(self, lines, factor, ridge, exponent, fit_bias):
        self.lines, self.factor, self.exponent = lines, factor, exponent
        self.d = factor.rank + fit_bias
        self.ridge = np.full(self.d, float(ridge))
        self.design, self.unknown, self.gradient, self.response = (self._empty() for _ in range(4))
        self.triangles = np.empty((len(lines), self.d * (self.d + 1) // 2))
        self.zero, self.gaps = np.zeros(len(lines)), np.empty(0)

    def _empty(self):
        array = aligned((len(self.lines), -(-self.d // _LANES) * _LANES), np.float64)
        array[:] = 0
        return array

    def _run(self, kernel, *args):
        run_blocks(kernel, len(self.lines), self.lines.block, args)

    def load(self):
        """Take what the factor is now."""
        k = self.factor.rank
        self.design[:, :k] = self.unknown[:, :k] = self.factor.values
        if self.d > k:
            self.design[:, k], self.unknown[:, k] = 1, self.factor.bias

    def move(self, change):
        """Add a change to the factor."""
        k = self.factor.rank
        self.factor.values[:] += change[:, :k]
        if self.d > k:
            self.factor.bias[:] += change[:, k]
        self.load()

    def differentiate(self, other):
        """Find gradient and Gram matrices."""
        lines, rank = self.lines, self.factor.rank
        self.gaps = residuals(lines, other.factor, self.factor)
        self._run(
            _tangent_cpu.normal_equations, lines.starts, lines.others, self.gaps, lines.weights,
            other.design, other.zero, self.unknown, self.ridge, self.exponent,
            _cpu.padded(rank + 2), rank, self.triangles, self.gradient,
        )  # fmt: skip

    def solved(self, right):
        """Solve with the Gram matrices."""
        out = self._empty()
        self._run(_tangent_cpu.solve, self.triangles, right, self.d, out)
        return out

    def respond(self, other, change, exact=False):
        """Find what these lines take back of a change of the others."""
        lines = self.lines
        self._run(
            _tangent_cpu.respond, lines.starts, lines.others, lines.weights,
            self.gaps if exact else _NO_GAPS, other.design, change, self.design, self.triangles,
            self.factor.rank, self.d, self.response,
        )  # fmt: skip

    def curvature(self, other, change, damping, exact=False):
        """Second derivative in the direction of a change, once the others have responded."""
        lines, out = self.lines, self._empty()
        self._run(
            _tangent_cpu.curvature, lines.starts, lines.others, lines.weights,
            self.gaps if exact else _NO_GAPS, other.design, other.response, self.design, change,
            self.ridge, self.exponent, 1 + damping, self.factor.rank, out,
        )  # fmt: skip
        return out

    def size(self):
        """Sum of squares, as the ridge counts them."""
        squares = np.einsum("ij,ij->i", self.unknown, self.unknown)
        return _dot(self.lines.amounts**self.exponent, squares)


class Projection:
    """The objective as a function of the columns: rows are least squares.

    Attributes
    ----------
    rms : float
        Root mean square residual.
    objective : float
    damping : float
        Of the next step, in units of the columns' Gram matrices.
    """

    def __init__(self, entries, model, ridge, exponent, fit_bias):
        how = ridge, exponent, fit_bias
        self.rows = _Side(entries.rows, model.rows, *how)
        self.columns = _Side(entries.columns, model.columns, *how)
        self.ridge, self.damping, self._slope, self._exact = ridge, 0.0, np.inf, False
        self._amount = float(np.sum(entries.rows.amounts)) or 1.0
        self.columns.load()
        self.rows.load()
        self.objective, self.rms = self._project()

    def _project(self):
        """Least squares of the rows; the objective, and the root mean square residual."""
        rows, columns = self.rows, self.columns
        rows.differentiate(columns)
        rows.move(rows.solved(rows.gradient))
        rows.gaps = gaps = residuals(rows.lines, columns.factor, rows.factor)
        squares = _dot(gaps, gaps * rows.lines.weights if len(rows.lines.weights) else gaps)
        objective = squares
        if self.ridge:
            objective += self.ridge * (rows.size() + columns.size())
        return objective, (squares / self._amount) ** 0.5

    def take(self, tol):
        """Make a step that lowers the objective; return False if none promises to.

        It is no more exact than a residual of `tol` needs.
        """
        rows, columns = self.rows, self.columns
        columns.differentiate(rows)
        before = [side.unknown.copy() for side in (rows, columns)]
        newton = columns.solved(columns.gradient)
        slope = _dot(columns.gradient, newton)
        finest = max(_FINEST, _FORCING * tol / max(self.rms, tol, _TINY))
        forcing = min(_FORCING, max(finest, 0.9 * slope / self._slope))
        while self.damping < _HOPELESS:
            change, gain = self._step(newton, slope, forcing)
            if not gain and self._exact:  # a saddle
                self._exact = False
                continue
            if not gain > _GAIN * self.objective:
                return False
            columns.move(change)
            objective, rms = self._project()
            ratio = (self.objective - objective) / gain
            if ratio > 0:
                self._adapt(ratio)
                self._exact = objective > _SLOW * self.objective
                self.objective, self.rms, self._slope = objective, rms, slope
                return True
            for side, old in zip((rows, columns), before, strict=True):
                side.move(old - side.unknown)
            rows.differentiate(columns)
            self._exact = False
            self.damping = max(_DAMPING, 10 * self.damping)
        return False

    def _adapt(self, ratio):
        """Damp the next step as this one kept its promise."""
        if ratio > 0.5:
            self.damping = self.damping / 10 if self.damping > _DAMPING else 0.0
        elif ratio < 0.1:
            self.damping = max(_DAMPING, 10 * self.damping)

    def _step(self, newton, slope, forcing):
        """Change of the columns by conjugate gradients, and the gain that it promises.

        `newton` is what they begin with: the gradient over the Gram matrices, which
        precondition them.
        """
        rows, columns = self.rows, self.columns
        change, direction = np.zeros_like(newton), newton.copy()
        residual, gain, square = columns.gradient.copy(), 0.0, slope
        for _ in range(_CG_STEPS):
            if square <= forcing**2 * slope:
                break
            rows.respond(columns, direction, self._exact)
            image = columns.curvature(rows, direction, self.damping, self._exact)
            bend = _dot(direction, image)
            if not bend > 0:
                break  # no minimum that way
            length = square / bend
            change += length * direction
            residual -= length * image
            gain += length * square
            conditioned = columns.solved(residual)
            square, before = _dot(residual, conditioned), square
            direction *= square / before
            direction += conditioned
        return change, gain
