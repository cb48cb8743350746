"""Entropic optimal transport: from checked masses and costs to a result."""

import inspect
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from .._support.result import Result
from .._support.validation import check_integer, check_positive, warn_convergence
from ._costs import LARGEST, check_clouds, check_costs
from ._plans import all_potentials, dense_plan, sparse_plan
from ._problem import Problem, prepare
from ._rounding import dual_value, feasible_value
from ._semidual import semidual
from ._sinkhorn import sinkhorn
from ._sns import sns
from ._ssns import ssns
from ._trace import Trace

SOLVERS = {"auto": semidual, "sinkhorn": sinkhorn, "sns": sns, "ssns": ssns}

_EPS = float(np.finfo(np.float64).eps)
_ROOM = 0.9  # of the tolerance: rounding adds to the error that a solver has seen


@dataclass(frozen=True, eq=False)
class TransportResult(Result):
    """Solution of an entropic optimal-transport problem.

    The plan is ``P[i, j] = a[i] b[j] / sum(a) * exp((f[i] + g[j] - M[i, j]) / reg)``. It is made
    from the potentials and the costs when it is asked for: M must not be changed before.

    Attributes
    ----------
    potentials : tuple of arrays of shape (n,) and (m,)
        f and g, in units of M, centred: sum(a f) = sum(b g). Where there is no mass they are the
        potentials that a small mass would have.
    value_linear : float
        Cost of the plan, <P, M>.
    value : float
        What was minimised: <P, M> + reg KL(P | a b' / sum(a)), with KL(P | Q) = sum P log(P / Q).
    marginal_errors : tuple of float
        L1 distance of the row sums of the plan from a, and of its column sums from b, where b has
        been scaled to the sum of a.
    reg : float
        Strength of the regularisation, in units of M.
    plan : array of shape (n, m)
        Dense, where M lies, in its dtype.
    duality_gap : float
        How much the value of the plan, once its masses have been rounded to a and b, is above the
        least one, at most; infinite if the rounding has to put mass on a forbidden arc.
    stages : tuple of Stage
        Strengths of regularisation on the way to `reg`, with the ``n_sinkhorn`` scaling steps,
        ``n_newton`` Newton steps and ``n_cg`` iterations of conjugate gradients done at each.
    n_iter : int
        Passes over the costs.
    converged : bool
        Whether the sum of the marginal errors is at most ``tol * sum(a)``.
    history : ndarray of shape (n_iter,)
        Marginal error found by each pass, relative to sum(a).
    """

    potentials: tuple = field(repr=False)
    value_linear: float
    value: float
    marginal_errors: tuple
    reg: float
    stages: tuple = field(repr=False)
    _problem: Problem = field(repr=False)
    _h: Any = field(repr=False)
    _g: Any = field(repr=False)
    _rows: Any = field(repr=False)

    @cached_property
    def plan(self):
        """Dense plan of shape (n, m), where M lies, in its dtype."""
        return dense_plan(self._problem, self._h, self._g, self.reg)

    def sparse_plan(self, tol=1e-9):
        """Entries of the plan that matter, as a SciPy CSR array of shape (n, m).

        Parameters
        ----------
        tol : float, default=1e-9
            Share of a mass, of any row or column, that may be left out.

        Returns
        -------
        plan : csr_array of float64
        """
        share = max(check_positive("tol", tol), _EPS) / max(self._problem.costs.shape)
        return sparse_plan(self._problem, self._h, self._g, self.reg, share, self._rows)

    @cached_property
    def duality_gap(self):
        """How much the plan, once its masses have been rounded to a and b, is above the optimum.

        At most: the value of the rounded plan minus that of the dual, in units of M times mass.
        Infinite if the rounding has to put mass on a forbidden arc.
        """
        where = self._problem, self._h, self._g, self.reg
        return self._problem.total * (feasible_value(*where) - dual_value(*where))


def solve(
    M,
    a=None,
    b=None,
    *,
    reg,
    method="auto",
    tol=1e-8,
    max_iter=10_000,
    warmstart=None,
    options=None,
    n_cpu=-1,
    device=None,
    callback=None,
):
    """Solve an entropic optimal-transport problem.

    Minimises <P, M> + reg KL(P | a b') over the plans P that move the masses a to the masses b.

    Parameters
    ----------
    M : array_like of shape (n, m)
        Costs, of any sign; +inf forbids an arc.
    a : array_like of shape (n,), default=None
        Masses of the rows, zeros allowed; None means equal ones, of sum 1.
    b : array_like of shape (m,), default=None
        Masses of the columns, of the same sum as a (a relative difference of 1e-6 is made up for
        by scaling b).
    reg : float
        Strength of the entropic regularisation, in units of M. The plan is nearly one without
        regularisation where reg is small beside the differences of costs that matter.
    method : {"auto", "sinkhorn", "sns", "ssns"}, default="auto"
        "auto" goes from large to small regularisation with Newton's method on the semi-dual
        problem, and takes scaling steps where these are faster. "sinkhorn" takes scaling steps
        only. "sns" is Sinkhorn-Newton-Sparse as published [1]_, "ssns" its successor with a proof
        of convergence [2]_; they are here for comparison.
    tol : float, default=1e-8
        The solution is one when the L1 distances of the plan's row sums from a and of its column
        sums from b add up to at most ``tol * sum(a)``.
    max_iter : int, default=10_000
        Passes over the costs at most.
    warmstart : TransportResult or tuple of arrays of shape (n,) and (m,), default=None
        Potentials to start from: of a similar problem, as in `TransportResult.potentials`.
    options : dict, default=None
        Parameters of the method: "sns" takes ``n_scaling``, ``density`` and ``max_cg``.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. The result does not depend on it.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where M lies.
    callback : callable, default=None
        Called after each pass with a dict of ``n_iter``, ``error`` and ``reg``; if it returns True
        the search stops there.

    Returns
    -------
    result : TransportResult
        The plan, dense or sparse, the potentials, values and errors.

    Raises
    ------
    ValueError
        If an argument is not what is described here.

    Warns
    -----
    ConvergenceWarning
        If `tol` was not reached, and no callback stopped the search: no plan exists because of
        forbidden arcs, `max_iter` is too small, or `tol` is below what float64 can tell at
        this `reg`.

    See Also
    --------
    solve_sample : The same between points, without the matrix of costs.
    sinkhorn : In the calling convention of POT.

    Notes
    -----
    A pass costs O(n m) and computes one exponential per entry. At small `reg` the entries
    that matter are few and known after some passes; all later ones cost O(n + m), and one
    over all entries verifies the result. Besides M, and a copy of it where rows or columns
    have no mass, there are fewer rows than columns, or a large number is in all costs, the
    memory is that of the entries that matter, 24 bytes each. A float32 M gives a float32 plan;
    all sums are float64.

    References
    ----------
    .. [1] X. Tang, M. Shavlovsky, H. Rahmanian, E. Tardini, K. Thekumparampil, T. Xiao, L. Ying.
       Accelerating Sinkhorn algorithm with sparse Newton iterations. ICLR 2024.
    .. [2] Z. Tang, Y. Qiu. Safe and sparse Newton method for entropic-regularized optimal
       transport. NeurIPS 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.transport import solve
    >>> M = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> solve(M, [0.5, 0.5], [0.5, 0.5], reg=1.0).plan.round(8)
    array([[0.36552929, 0.13447071],
           [0.13447071, 0.36552929]])
    """
    return solve_costs(
        check_costs(M), (M,), a, b, reg=reg, method=method, tol=tol, max_iter=max_iter,
        warmstart=warmstart, options=options, n_cpu=n_cpu, device=device, callback=callback,
    )  # fmt: skip


def solve_sample(
    X,
    Y,
    a=None,
    b=None,
    *,
    reg,
    metric="sqeuclidean",
    method="auto",
    tol=1e-8,
    max_iter=10_000,
    warmstart=None,
    options=None,
    n_cpu=-1,
    device=None,
    callback=None,
):
    """Solve an entropic optimal-transport problem between points.

    The costs are distances that are made again whenever they are needed: instead of the memory
    of the (n, m) matrix, that of the points and of the entries of the plan that matter is taken.

    Parameters
    ----------
    X : array_like of shape (n, d)
        Points that the masses a lie on.
    Y : array_like of shape (m, d)
        Points that the masses b lie on.
    a : array_like of shape (n,), default=None
        Masses of X, zeros allowed; None means equal ones, of sum 1.
    b : array_like of shape (m,), default=None
        Masses of Y, of the same sum as a.
    reg : float
        Strength of the entropic regularisation, in units of the costs.
    metric : {"sqeuclidean", "euclidean", "cityblock"}, default="sqeuclidean"
        What it costs to move a unit of mass from one point to another.
    method : {"auto", "sinkhorn", "sns", "ssns"}, default="auto"
        As for :func:`solve`. "sns" and "ssns" need the matrix of costs.
    tol : float, default=1e-8
        L1 distances of the plan's marginals from a and b, added up, relative to sum(a).
    max_iter : int, default=10_000
        Passes over the costs at most.
    warmstart : TransportResult or tuple of arrays of shape (n,) and (m,), default=None
        Potentials to start from.
    options : dict, default=None
        Parameters of the method.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. The result does not depend on it.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where X or Y lies.
    callback : callable, default=None
        Called after each pass with a dict of ``n_iter``, ``error`` and ``reg``; if it returns True
        the search stops there.

    Returns
    -------
    result : TransportResult
        Its ``plan`` is dense, and made only when asked for; ``sparse_plan`` is what large
        problems want. Distances are computed in float64.

    Raises
    ------
    ValueError
        If an argument is not what is described here.

    Warns
    -----
    ConvergenceWarning
        As for :func:`solve`.

    Notes
    -----
    A pass costs O(n m d); in many dimensions :func:`solve` on a matrix of distances is faster.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.transport import solve_sample
    >>> X = np.linspace(0, 1, 1000)[:, None]
    >>> result = solve_sample(X, X + 0.5, reg=1e-3)
    >>> round(result.value_linear, 4)
    0.2505
    """
    return solve_costs(
        check_clouds(X, Y, metric), (X, Y), a, b, reg=reg, method=method, tol=tol,
        max_iter=max_iter, warmstart=warmstart, options=options, n_cpu=n_cpu, device=device,
        callback=callback,
    )  # fmt: skip


def solve_costs(costs, given, a, b, *, reg, method="auto", tol=1e-8, max_iter=10_000,
                warmstart=None, options=None, n_cpu=-1, device=None, callback=None,
                warn=True, names=("tol", "max_iter"), stacklevel=3):  # fmt: skip
    """Solve for costs that have been checked; `given` are the arrays they came as.

    `names` are what the user calls two of the arguments, and at `stacklevel` he is, to be warned.
    """
    if not isinstance(method, str) or method not in SOLVERS:
        raise ValueError(f"method={method!r} is unknown; choose one of {list(SOLVERS)}")
    reg, tol = check_positive("reg", reg), check_positive(names[0], tol)
    least = max(_EPS * costs.spread[0], 1 / LARGEST)
    if not least <= reg <= LARGEST:
        raise ValueError(
            f"reg={reg}: at least {least:.1e}, what float64 can tell of these costs, and at most "
            f"{LARGEST:.0e} is needed"
        )
    check_integer(names[1], max_iter, 1)
    solver = _with_options(method, options)
    problem = prepare(costs, a, b, n_cpu, device, *given)
    trace = Trace(max_iter, callback)
    h, g = solver(problem, reg, _ROOM * tol, trace, problem.starting_potential(warmstart))
    result = conclude(problem, reg, tol, h, g, trace)
    if warn and not (result.converged or trace.stopped):
        _warn_not_converged(result, method, tol, max_iter, names, stacklevel)
    return result


def _with_options(method, options):
    """Solver of a method, with its options bound."""
    known = list(inspect.signature(SOLVERS[method]).parameters)[5:]
    options = {} if options is None else options
    if not isinstance(options, dict):
        raise ValueError(f"options={options!r}: a dict with parameters of the method is needed")
    for name in options:
        if name not in known:
            raise ValueError(f"options has {name!r}: method {method!r} knows {known or 'none'}")
    return partial(SOLVERS[method], **options)


def _warn_not_converged(result, method, tol, max_iter, names, stacklevel):
    tol_name, max_iter_name = names
    advice = f"float64 cannot tell more at this reg; increase {tol_name} or reg"
    if result.n_iter >= max_iter:
        advice = f"increase {max_iter_name}, {tol_name} or reg"
    elif method in ("sns", "ssns"):
        advice = "it came to a stand; use method='auto', or other options"
    if result._problem.costs.forbids:
        advice = f"the forbidden arcs leave no plan, or {advice}"
    warn_convergence(
        f"method {method!r} ended after {result.n_iter} passes with marginal errors of "
        f"{sum(result.marginal_errors):.1e}, above {tol_name}={tol} times the mass: {advice}",
        stacklevel + 1,
    )


def conclude(problem, reg, tol, h, g, trace):
    """Make the result of what a solver has found."""
    rows, columns, linear = problem.evaluate(h, g, reg)
    errors = [float(abs(x - y).sum()) for x, y in ((rows, problem.a), (columns, problem.b))]
    phi = g - reg * problem.kernels.xp.log(problem.b)
    value = float(rows @ h + columns @ phi)
    offset = problem.offset * float(rows.sum())
    if problem.transposed:
        errors = errors[::-1]
    return TransportResult(
        n_iter=len(trace.history),
        converged=sum(errors) <= tol,
        history=np.array(trace.history),
        potentials=all_potentials(problem, h, phi, reg),
        value_linear=problem.total * (linear + offset),
        value=problem.total * (value + offset),
        marginal_errors=tuple(problem.total * error for error in errors),
        reg=reg,
        stages=trace.stages,
        _problem=problem,
        _h=h,
        _g=g,
        _rows=rows,
    )
