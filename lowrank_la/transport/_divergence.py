"""The Sinkhorn divergence: a distance between clouds of points made of entropic transport."""

from ._costs import check_clouds
from ._solve import solve_costs


def sinkhorn_divergence(
    X,
    Y,
    a=None,
    b=None,
    *,
    reg,
    metric="sqeuclidean",
    tol=1e-8,
    max_iter=10_000,
    n_cpu=-1,
    device=None,
):
    """Sinkhorn divergence between two clouds of points with masses.

    S = OT(X, Y) - OT(X, X) / 2 - OT(Y, Y) / 2, where OT is the least <P, M> + reg KL(P | a b') of
    a plan: the `value` of :func:`solve_sample`. Unlike OT it is zero for equal clouds, and
    positive for others. It goes from optimal transport, as `reg` falls to zero, to a distance
    between kernel means as it grows.

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
    tol : float, default=1e-8
        Marginal error of each of the three plans, as for :func:`solve`.
    max_iter : int, default=10_000
        Passes over the costs at most, for each of the three.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. The result does not depend on it.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where X or Y lies.

    Returns
    -------
    divergence : float
        Not negative: what `tol` leaves below zero is made zero.

    Raises
    ------
    ValueError
        If an argument is not what is described here.

    Warns
    -----
    ConvergenceWarning
        If one of the three problems was not solved to `tol`.

    See Also
    --------
    solve_sample : One of the problems, with its plan and potentials.

    Notes
    -----
    Three problems are solved, in O((n + m) d) memory and that of the entries that matter.
    ``ot.bregman.empirical_sinkhorn_divergence`` of POT leaves the entropy out: it combines <P, M>
    of the three plans, which is another number.

    References
    ----------
    J. Feydy, T. Séjourné, F.-X. Vialard, S. Amari, A. Trouvé, G. Peyré. Interpolating between
    optimal transport and MMD using Sinkhorn divergences. AISTATS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.transport import sinkhorn_divergence
    >>> X = np.array([[0.0], [1.0]])
    >>> round(sinkhorn_divergence(X, X + 1, reg=0.1), 6), sinkhorn_divergence(X, X, reg=0.1)
    (1.0, 0.0)
    """
    problems = (X, Y, a, b), (X, X, a, a), (Y, Y, b, b)
    between, within_x, within_y = (
        solve_costs(
            check_clouds(source, target, metric), (source, target), *masses, reg=reg, tol=tol,
            max_iter=max_iter, n_cpu=n_cpu, device=device, stacklevel=4,
        ).value
        for source, target, *masses in problems
    )  # fmt: skip
    return max(0.0, between - (within_x + within_y) / 2)
