"""The published methods as they are: Sinkhorn-Newton-Sparse, and its safe and sparse successor."""

import functools
import warnings

from sklearn.exceptions import ConvergenceWarning

from lowrank_la.transport import solve

from ._harness import Row, compare
from ._transport_contests import CONTESTS, lines, mnist, random
from ._transport_peers import SOLVERS, prepared

ERROR = 1e-8  # L1, of the masses
REG = 1 / 1200  # the paper's eta
PASSES = 2000  # that a published method may take


def result_of(problem, **how):
    """Solve on one thread, and make the plan; return the result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the row tells
        result = solve(*problem[:3], reg=problem.reg, n_cpu=1, **how)
    result.plan  # noqa: B018  (is made when it is asked for)
    return result


def steps(result):
    """Count scaling steps and Newton steps together, as the paper does."""
    return sum(stage.n_sinkhorn + stage.n_newton for stage in result.stages)


def sns_rows(bench):
    """Count the steps of Sinkhorn-Newton-Sparse with the paper's settings."""
    cases = [("random", random(bench, 500, REG), 20, 2, 29)]
    if not bench.quick:
        cases += [
            ("mnist, squared L2", mnist(bench, "sqeuclidean", REG), 20, 2, 53),
            ("mnist, L1", mnist(bench, "cityblock", REG), 700, 15, 777),
        ]
    cases.append(("line, squared", lines(bench, 2, REG), 20, 2, None))
    for name, problem, n_scaling, kept, paper in cases:
        n = len(problem.a)
        options = {"n_scaling": n_scaling, "density": kept / n}
        ours, peer = "auto", "sns, as published"
        sns = functools.partial(result_of, method="sns", options=options, max_iter=PASSES)
        calls = {ours: functools.partial(result_of, problem), peer: functools.partial(sns, problem)}
        timings = compare(calls, rounds=3 if paper else 1)  # it comes to a stand
        mine, theirs = (timings[who].result for who in (ours, peer))
        errors = [problem.error(result.plan) for result in (mine, theirs)]
        yield Row.of(
            f"{name} n={n}, reg 1/1200", ours, peer, timings, measure="steps",
            quality=steps(mine), peer_quality=steps(theirs), valid=errors[0] <= ERROR,
            note=f"{n_scaling} scaling steps, {kept}/n of the entries; "
            + (f"the paper has {paper}; " if paper else "")
            + ("" if errors[1] <= ERROR else "stopped at ")
            + f"L1 error {errors[1]:.1e}",
        )  # fmt: skip


def ssns_rows(bench):
    """Compare two programs of safe and sparse Newton steps."""
    bench.peer("regot")
    ours, peer = "solve, ssns", "regot ssns"
    for family in ("random", "images", "lines"):
        contest = CONTESTS[family][0]
        problem = contest.make(bench)
        call = prepared(peer, problem), contest.tolerances[peer], PASSES
        timings = compare(
            {
                ours: lambda: result_of(problem, method="ssns", max_iter=PASSES).plan,  # noqa: B023
                peer: lambda: SOLVERS[peer](*call),  # noqa: B023
            },
            rounds=3,
        )
        error, peer_error = (problem.error(timings[who].result) for who in (ours, peer))
        yield Row.of(
            contest.title(problem), ours, peer, timings, measure="L1 error of the masses",
            quality=error, peer_quality=peer_error, note=f"its tolerance {call[1]:g}",
        )  # fmt: skip


SECTIONS = {
    "Sinkhorn-Newton-Sparse as published": sns_rows,
    "Safe and sparse Newton steps, two programs": ssns_rows,
}
