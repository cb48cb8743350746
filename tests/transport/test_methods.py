"""Scaling alone, and the published Newton methods: what each does on its way."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.exceptions import ConvergenceWarning

from benchmarks._transport_problems import densities, images, random_assignment
from lowrank_la.transport import _sns, _ssns, solve
from lowrank_la.transport._costs import check_costs
from lowrank_la.transport._dual import Dual
from lowrank_la.transport._problem import prepare
from lowrank_la.transport._trace import Trace
from tests.reference import transport as naive
from tests.strategies import transports

NEWTON = ["sns", "ssns"]
METHODS = ["sinkhorn", *NEWTON]
close = np.testing.assert_allclose


def random_problem(n=20, m=30, seed=0):
    """Costs and masses."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0.1, 1, n), rng.uniform(0.1, 1, m)
    return rng.random((n, m)), a / a.sum(), b / b.sum()


def quietly(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return solve(*args, **options)


def total(result, what):
    return sum(getattr(stage, what) for stage in result.stages)


# Whatever the problem


@given(transports(), st.sampled_from(METHODS))
def test_a_plan_or_a_warning(problem, method):
    M, a, b, reg = problem
    used = np.ix_(a > 0, b > 0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        result = solve(M, a, b, reg=reg, method=method, tol=1e-10, max_iter=2000)
    assert result.converged == (not caught)
    assert result.converged or method != "ssns", "its convergence is proved"
    assert np.isfinite(result.plan).all()
    assert np.isfinite(result.value)
    assert np.count_nonzero(result.plan[used]) == np.count_nonzero(result.plan)
    if result.converged:
        assert sum(naive.marginal_errors(result.plan, a, b)) <= 1.01e-10
        expected = naive.plan(M[used], a[a > 0], b[b > 0], reg)
        assume(sum(naive.marginal_errors(expected, a[a > 0], b[b > 0])) < 1e-10)
        close(result.plan[used], expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (30, 8), (8, 30), (20, 20)])
@pytest.mark.parametrize("method", METHODS)
def test_shapes(method, shape):
    M, a, b = random_problem(*shape)
    expected = naive.plan(M, a, b, 0.05)
    for costs in (M, np.asfortranarray(M), M.astype(np.float32)):
        result = solve(costs, a, b, reg=0.05, method=method)
        assert result.converged
        close(result.plan, expected, atol=1e-6)
        assert result.plan.dtype == costs.dtype
    turned = solve(M.T, b, a, reg=0.05, method=method, tol=1e-11)
    close(turned.plan.T, solve(M, a, b, reg=0.05, method=method, tol=1e-11).plan, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_forbidden_arcs(method):
    M, a, b = random_problem()
    M[np.random.default_rng(1).random(M.shape) < 0.3] = np.inf
    M[0], M[:, 0] = 0.5, 0.5  # so that a plan exists
    result = solve(M, a, b, reg=0.1, method=method)
    assert result.converged
    assert not result.plan[np.isinf(M)].any()
    close(result.plan, naive.plan(M, a, b, 0.1), atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_no_plan_exists(method):
    M, a, b = random_problem()
    M[:15, :25] = np.inf
    assert a[:15].sum() > b[25:].sum()
    with pytest.warns(ConvergenceWarning, match=method):
        result = solve(M, a, b, reg=0.05, method=method, max_iter=300)
    assert np.isfinite(result.plan).all()
    assert sum(result.marginal_errors) >= a[:15].sum() - b[25:].sum()


@pytest.mark.parametrize("reg", [1e-3, 1e-5, 1e-8])
@pytest.mark.parametrize("method", METHODS)
def test_small_regularisation_ends(method, reg):
    M, a, b = random_problem()
    result = quietly(M, a, b, reg=reg, method=method, max_iter=500)
    assert np.isfinite(result.plan).all()
    assert np.isfinite([result.value, *result.marginal_errors]).all()
    assert result.converged == (sum(result.marginal_errors) <= 1e-8)


@pytest.mark.parametrize("method", NEWTON)
def test_same_bits_on_any_number_of_threads(method):
    M, a, b = random_problem(600, 500)
    one, two = (quietly(M, a, b, reg=0.02, method=method, max_iter=40, n_cpu=n) for n in (1, 2))
    assert one.history.tobytes() == two.history.tobytes()
    assert one.plan.tobytes() == two.plan.tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_the_dual_rises(method, global_random_seed):
    """After every pass, whatever step was tried in it."""
    M, a, b = random_problem(seed=global_random_seed)
    reg, options = 0.02, {"n_scaling": 3} if method == "sns" else None
    n_iter = min(60, solve(M, a, b, reg=reg, method=method, options=options).n_iter)
    results = [
        quietly(M, a, b, reg=reg, method=method, options=options, max_iter=n)
        for n in range(1, n_iter + 1)
    ]
    duals = [
        a @ result.potentials[0] + b @ result.potentials[1] - reg * result.plan.sum()
        for result in results
    ]
    assert np.diff(duals).min() >= -1e-14
    assert duals[-1] > duals[0]
    if method != "sinkhorn":
        assert total(results[-1], "n_newton") > 2


# Scaling


@given(transports())
def test_errors_of_scaling_fall(problem):
    M, a, b, reg = problem
    result = quietly(M, a, b, reg=reg, method="sinkhorn", max_iter=200)
    assert np.diff(result.history).max(initial=-1) <= 1e-14
    assert total(result, "n_sinkhorn") == result.n_iter - 1
    assert total(result, "n_newton") == 0


# Sinkhorn-Newton-Sparse


def test_stages_of_sns():
    M, a, b = random_problem()
    for n_scaling in (0, 1, 20):
        result = solve(M, a, b, reg=0.02, method="sns", options={"n_scaling": n_scaling})
        assert result.converged
        (stage,) = result.stages
        assert (stage.reg, stage.n_sinkhorn) == (0.02, n_scaling)
        assert stage.n_cg >= stage.n_newton > 0


def test_the_more_entries_the_fewer_steps():
    M, a, b = random_problem(60, 60)
    options = [{}, {"density": 0.1}, {"density": 1.0}]
    results = [solve(M, a, b, reg=0.02, method="sns", options=option) for option in options]
    steps = [total(result, "n_newton") for result in results]
    assert steps[0] > steps[1] > steps[2]
    assert steps[2] < 10, "Newton's method proper"


def test_few_conjugate_gradients():
    M, a, b = random_problem()
    result = solve(M, a, b, reg=0.02, method="sns", options={"max_cg": 3})
    assert total(result, "n_cg") == 3 * total(result, "n_newton")


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("sns", {"n_scaling": -1}, "n_scaling"),
        ("sns", {"n_scaling": 2.5}, "n_scaling"),
        ("sns", {"max_cg": 0}, "max_cg"),
        ("sns", {"density": 0}, "density"),
        ("sns", {"density": np.nan}, "density"),
        ("sns", {"budget": 1}, "options has 'budget'"),
        ("ssns", {"density": 0.1}, "options has 'density'"),
        ("sinkhorn", {"n_scaling": 1}, "options has 'n_scaling'"),
    ],
)
def test_options_that_are_none(method, options, message):
    M, a, b = random_problem()
    with pytest.raises(ValueError, match=message):
        solve(M, a, b, reg=0.1, method=method, options=options)


def test_sns_stalls_where_the_plan_is_dense():
    """As published: its share of the entries is far from all that matter."""
    M, a, b = densities(100, 2)
    with pytest.warns(ConvergenceWarning, match="sns"):
        stalled = solve(M, a, b, reg=1e-3, method="sns", max_iter=300)
    assert not stalled.converged
    assert sum(stalled.marginal_errors) > 1e-5
    assert np.isfinite(stalled.plan).all()
    assert solve(M, a, b, reg=1e-3, method="ssns", max_iter=300).converged


# The iterations of scaling and of Newton's method together, as told in the paper


def iterations(M, a, b, **options):
    result = solve(M, a, b, reg=1 / 1200, method="sns", options=options)
    assert result.converged
    return total(result, "n_sinkhorn") + total(result, "n_newton")


def test_as_few_steps_as_published_on_random_costs():
    assert iterations(*random_assignment(500), density=15 / 500) <= 29


@pytest.mark.parametrize(
    ("metric", "n_scaling", "most"), [("sqeuclidean", 20, 53), ("cityblock", 700, 777)]
)
def test_as_few_steps_as_published_on_images(data_dir, metric, n_scaling, most):
    path = data_dir / "images" / "mnist-t10k-images-idx3-ubyte.gz"
    problem = images(path, 0, 1, metric)
    assert iterations(*problem, n_scaling=n_scaling, density=15 / 784) <= most


# What is kept of the Hessian

masses = st.sampled_from([0.0, 1e-9, 0.01, 0.1, 0.25, 1.0])
shapes = st.tuples(st.integers(1, 8), st.integers(1, 8))
plans = arrays(np.float64, shapes, elements=masses, fill=st.nothing())


@given(plans, st.floats(1e-3, 2))
def test_sns_keeps_the_largest_entries(plan, density):
    bound, n = _sns._kept_from(np, plan, density), math.ceil(min(1, density) * plan.size)
    assert np.count_nonzero(plan >= bound) >= n > np.count_nonzero(plan > bound)


@given(plans, st.floats(1e-10, 3))
def test_ssns_drops_what_the_budget_allows(plan, budget):
    bound = _ssns._kept_from(np, plan, budget)
    assert plan[plan < bound].sum() <= budget * (1 + 1e-12)
    more = plan[plan <= bound]
    assert more.sum() > budget * (1 - 1e-12) or len(more) == np.count_nonzero(plan < bound)


# The dual of both sides


def dual_of(M, a, b, reg=0.1):
    problem = prepare(check_costs(M), a, b, 1, "cpu", M)
    trace = Trace(10_000)
    trace.begin(reg)
    return Dual(problem, reg, trace, "sns")


def point_of(dual, seed=0):
    problem, rng = dual.problem, np.random.default_rng(seed)
    return dual.at(0.1 * rng.normal(size=len(problem.a)), 0.1 * rng.normal(size=len(problem.b)))


def blocks(plan, kept):
    """The Hessian times -reg."""
    return np.block([[np.diag(plan.sum(axis=1)), kept], [kept.T, np.diag(plan.sum(axis=0))]])


def test_gradient_and_hessian_of_the_dual(global_random_seed):
    dual, step = dual_of(*random_problem(7, 5, global_random_seed)), 1e-5
    point = point_of(dual, global_random_seed)
    gradient = np.r_[dual.problem.a - point.rows, dual.problem.b - point.columns]
    hessian = blocks(point.plan, point.plan) / -dual.reg
    for k, unit in enumerate(np.eye(12)):
        up, down = (dual.at(point.h + s * unit[:7], point.g + s * unit[7:]) for s in (step, -step))
        assert (up.value - down.value) / (2 * step) == pytest.approx(gradient[k], abs=1e-8)
        change = np.r_[down.rows - up.rows, down.columns - up.columns] / (2 * step)
        close(change, hessian[k], atol=1e-6)


@pytest.mark.parametrize("shift", [1e-3, 1.0])
@pytest.mark.parametrize("bound", [0.0, 2e-3, 1.0])
def test_newton_step_solves_the_sparsified_equation(bound, shift, monkeypatch):
    monkeypatch.setattr("lowrank_la.transport._dual._CG_TOL", 1e-14)
    dual = dual_of(*random_problem(9, 7))
    point = point_of(dual)
    step = dual.newton_step(point, bound, shift, 1000)
    kept = np.where(point.plan >= bound, point.plan, 0)
    hessian = blocks(point.plan, kept)
    gradient = np.r_[dual.problem.a - point.rows, dual.problem.b - point.columns]
    direction = dual.reg * np.linalg.solve(hessian + shift * np.eye(16), gradient)
    close(np.r_[step.h, step.g], direction, atol=1e-12)
    assert step.slope == pytest.approx(gradient @ direction)
    assert step.curvature == pytest.approx(direction @ hessian @ direction / dual.reg)
    for length in (1.0, 0.25):
        model = length * step.slope - length**2 / 2 * step.curvature
        assert step.promises(length) == pytest.approx(model)


def test_the_model_of_a_small_step_is_true():
    dual = dual_of(*random_problem(9, 7))
    point = point_of(dual)
    step = dual.newton_step(point, 0.0, 1e-2, 1000)
    for length, error in ((1e-1, 0.1), (1e-3, 1e-3)):
        rise = dual.moved(point, step, length).value - point.value
        assert rise == pytest.approx(step.promises(length), rel=error)


def test_a_step_that_goes_too_far_is_no_rise():
    M, a, b = random_problem()
    dual = dual_of(M, a, b, reg=1e-3)
    point = point_of(dual)
    for far in (1e3, 1e300):
        trial = dual.at(point.h + far, point.g)
        assert trial.value == -np.inf
        assert not dual.rise(point, trial, 1.0) > 0
        assert not dual.rise(point, trial, 0.0) > 0


@pytest.mark.parametrize(("reg", "length"), [(0.08, 0.1), (0.12, 0.25), (0.15, 0.5)])
def test_ssns_takes_a_part_of_a_step_that_goes_too_far(reg, length):
    dual = dual_of(*random_problem(9, 7), reg=reg)
    point = point_of(dual, 1)
    step = dual.newton_step(point, 0.0, 1e-3, 1000)
    trial, ratio = _ssns._searched(dual, point, step)
    np.testing.assert_array_equal(trial.h, point.h + length * step.h)
    assert trial.value > point.value
    assert ratio == pytest.approx((trial.value - point.value) / step.promises(length))
    longer = [part for part in _ssns._LENGTHS if part > length]
    assert all(dual.moved(point, step, part).value < point.value for part in longer)
