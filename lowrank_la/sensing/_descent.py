"""Descent in the factors of a matrix, by any direction and rule of steps."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ._problem import Line, Point

_PATIENCE = 20  # iterations in which the held-out measurements are met no better
_WINDOW = 5  # iterations in which the loss falls no more
_HALVINGS = 60
_ASTRAY = 1e6  # times the values: residuals from where nothing leads back
_GAIN = 1e-4  # share by which held-out measurements must be met better
_STEEP = 0.1  # of the slope of the preconditioned gradient: the least of a conjugate direction


class Method(NamedTuple):
    """How to descend.

    Attributes
    ----------
    precondition : callable
        Takes factors, gradient and relative residual to a direction.
    step : callable
        Takes problem, point, direction and iterations done to the next point, or to None where
        all points are worse.
    conjugate : bool
        Whether directions are made conjugate.
    """

    precondition: object
    step: object
    conjugate: bool = False

    @property
    def monotone(self):
        return self.step is exact_step


def exact_step(problem, point, direction, n_iter):
    """Go to the best point on the line."""
    return Line(problem, point, direction).best()


def fixed_step(size):
    """Return a rule that takes steps of one size, but halves those that would raise the loss."""
    halved = 0

    def step(problem, point, direction, n_iter):
        nonlocal halved
        halved = max(halved - 1, 0)
        before = problem.value(point.prediction, point.factors)
        while halved < _HALVINGS:
            moved = point.factors.plus(-size / 2**halved, direction)
            new = problem.measured(moved, point.constant)
            if problem.value(new.prediction, moved) <= before:
                return new
            halved += 1
        return None

    return step


@dataclass(eq=False)
class Trace:
    """What is noted on the way, and when it ends."""

    tol: float
    callback: object = None
    held_out: object = None  # loss of the measurements that are not fitted
    residuals: list = field(default_factory=list)
    gains: list = field(default_factory=list)  # falls of the objective, relative to it
    singular_values: list = field(default_factory=list)
    validation: list = field(default_factory=list)
    best: Point | None = None
    diverged: bool = False

    def begin(self):
        """Begin with another objective."""
        self.gains, self.best = [], None

    def overfit(self):
        """Relative residual of the held-out measurements beyond that of the others, at best."""
        if not self.validation:
            return 0.0
        best = int(np.argmin(self.validation))
        return max(self.validation[best] ** 2 - self.residuals[best] ** 2, 0.0) ** 0.5

    def note(self, problem, point):
        """Note an iteration; return True where the callback stops."""
        self.residuals.append(float(problem.loss.relative(point.prediction)))
        self.singular_values.append(point.factors.singular_values())
        if self.held_out is not None:
            self.validation.append(float(self.held_out.relative(point.prediction)))
            if self.validation[-1] == min(self.validation):
                self.best = point
        if self.callback is None:
            return False
        return bool(
            self.callback(
                {
                    "n_iter": len(self.residuals),
                    "residual": self.residuals[-1],
                    "left": point.factors.left,
                    "right": point.factors.right,
                }
            )
        )

    def converged(self, monotone):
        """Whether the residual is small, or a monotone loss falls no more."""
        if self.residuals[-1] <= self.tol:
            return True
        if self.held_out is not None:
            first = self.validation[0]  # a small start stays there for a while
            moved = [value for value in self.validation if abs(value - first) > _GAIN * first]
            return _stands_still(moved, _PATIENCE, _GAIN)
        gains, slight = self.gains[-_WINDOW:], self.tol**0.5
        if not monotone or len(gains) < _WINDOW or sum(gains) > slight:
            return False
        # beside gross errors an objective hardly falls, when the other residuals still do
        return _stands_still(self.residuals, _WINDOW, slight)


def _stands_still(values, window, gain):
    """Whether the last values are not less, by a share, than those before."""
    if len(values) <= window:
        return False
    return min(values[-window:]) >= min(values[:-window]) * (1 - gain)


def descend(problem, factors, method, max_iter, trace):
    """Go from factors to where the trace says that it is enough.

    Returns
    -------
    point : Point
        The last; the best one for the held-out measurements, if there are some.
    converged : bool
    """
    point, memory, converged = _adapted(problem, problem.measured(factors)), None, False
    residual = problem.loss.relative(point.prediction)
    astray = _ASTRAY * max(1.0, residual)
    for n_iter in range(max_iter):
        gradient = problem.gradient(point)
        plain = method.precondition(point.factors, gradient, residual)
        direction = _conjugate(memory, gradient, plain) if method.conjugate else plain
        new = method.step(problem, point, direction, n_iter)
        if new is None and direction is not plain:
            direction, new = plain, method.step(problem, point, plain, n_iter)
        if new is None:  # as good as the precision allows
            converged = True
            break
        if not problem.loss.relative(new.prediction) <= astray:
            trace.diverged = True
            break
        trace.gains.append(_gain(problem, point, new))
        memory = gradient, plain, direction
        point = _adapted(problem, new)
        stop = trace.note(problem, point)
        residual, converged = trace.residuals[-1], trace.converged(method.monotone)
        if stop or converged:
            break
    return trace.best or point, converged


def _gain(problem, point, new):
    """Share of the objective that a step has saved; the loss is adapted after it."""
    before = problem.value(point.prediction, point.factors)
    saved = before - problem.value(new.prediction, new.factors)
    return saved / before if before else 0.0


def _adapted(problem, point):
    problem.loss.adapt(point.prediction)
    return problem.settled(point)


def _conjugate(memory, gradient, plain):
    """Direction that is conjugate to the last, by Polak and Ribiere's formula."""
    if memory is None:
        return plain
    last_gradient, last_plain, last_direction = memory
    slope, last_slope = gradient.dot(plain), last_gradient.dot(last_plain)
    beta = max(0.0, (slope - last_gradient.dot(plain)) / last_slope) if last_slope else 0.0
    direction = plain.plus(beta, last_direction)
    return direction if gradient.dot(direction) > _STEEP * slope else plain
