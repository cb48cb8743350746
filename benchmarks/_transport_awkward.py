"""Inputs that solvers of entropic transport trip over: which of them each one gets right.

Every solver runs in a process of its own, because some inputs end it.
"""

import faulthandler
import json
import os
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from lowrank_la.transport import solve

from ._harness import Row, fresh
from ._transport_peers import PACKAGES, SOLVERS, prepared
from ._transport_problems import Problem, cloud_costs

OURS = "solve"
RIGHT = 1e-7  # L1 error of the masses
TOL, MAX_ITER = 1e-9, 20_000
LIMIT = 10  # seconds of wall time, for one input
TINY = (1e-30, 1e-300)
REFUSED = "to be refused: "


def inputs():
    """Return problems by name; those whose name begins with `REFUSED` are none."""
    M, a, b = cloud_costs(40, 50)
    rng = np.random.default_rng(1)
    plain = Problem(M, a, b, 1e-2)
    few_a, few_b = (normalised(masses * (rng.random(len(masses)) < 0.7)) for masses in (a, b))
    far, forbidden = M.copy(), M.copy()
    far[3] += 1e4
    forbidden[rng.random(M.shape) < 0.2] = np.inf
    one, points = np.ones(1), np.repeat(np.arange(10.0), 4)
    return {
        **{f"reg {reg:g}": plain._replace(reg=reg) for reg in (0.05, 1e-3, 1e-5, 1e-8)},
        "zeros in a": plain._replace(a=few_a),
        "zeros in a and b": plain._replace(a=few_a, b=few_b),
        "the last mass zero": plain._replace(b=normalised(b * (np.arange(50) < 49))),
        **{
            f"a mass of {mass:g}": plain._replace(b=normalised(replaced(b, 7, mass)))
            for mass in TINY
        },
        "masses over 12 orders": plain._replace(a=normalised(np.logspace(-12, 0, 40))),
        "M and reg times 1e6": plain._replace(M=1e6 * M, reg=1e4),
        "M plus 1e6": plain._replace(M=M + 1e6),
        "negative M": plain._replace(M=M - 3),
        "a row far away": plain._replace(M=far),
        "forbidden arcs": plain._replace(M=forbidden),
        "duplicated points": Problem((points[:, None] - points) ** 2 / 81, a, a[::-1].copy(), 1e-3),
        "1 x 1": Problem(np.ones((1, 1)), one, one, 1e-2),
        "1 x 50": Problem(M[:1].copy(), one, b, 1e-2),
        "40 x 1": Problem(M[:, :1].copy(), a, one, 1e-2),
        **{REFUSED + what: problem for what, problem in wrong(plain).items()},
    }


def wrong(plain):
    """Return what is no problem: an error is what is right."""
    return {
        "NaN in M": plain._replace(M=replaced(plain.M, (2, 3), np.nan)),
        "a negative mass": plain._replace(a=replaced(plain.a, 3, -plain.a[3])),
        "unequal totals": plain._replace(b=1.5 * plain.b),
    }


def normalised(masses):
    return masses / masses.sum()


def replaced(array, place, value):
    array = array.copy()
    array[place] = value
    return array


def ours(problem):
    return solve(*problem[:3], reg=problem.reg, n_cpu=1).plan


def theirs(peer, problem):
    return SOLVERS[peer](prepared(peer, problem), TOL, MAX_ITER)


def verdict(who, name, problem):
    """Return None if the result is right, or what became of it."""
    try:
        plan = ours(problem) if who == OURS else theirs(who, problem)
    except Exception as error:
        return None if name.startswith(REFUSED) else type(error).__name__
    if name.startswith(REFUSED):
        return "no error"
    error = problem.error(np.asarray(plan))
    return None if error <= RIGHT else f"{error:.0e}"


def examine(who, first, path):
    """Note what a solver makes of the inputs from the first on; run by a child."""
    warnings.simplefilter("ignore")
    verdict(who, "", inputs()["reg 0.05"])  # compiles, and imports
    with open(path, "a", buffering=1) as file, open(os.devnull, "w") as silence:
        for name, problem in list(inputs().items())[first:]:
            faulthandler.dump_traceback_later(LIMIT, exit=True, file=silence)
            start = time.process_time()
            found = verdict(who, name, problem)
            file.write(json.dumps([name, found, time.process_time() - start]) + "\n")
    faulthandler.cancel_dump_traceback_later()


def verdicts(who):
    """Return what became of each input, and the seconds of each."""
    names = list(inputs())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "verdicts"
        path.touch()
        while (done := len(path.read_text().splitlines())) < len(names):
            call = f"examine({who!r}, {done}, {str(path)!r})"
            try:
                fresh(f"from benchmarks._transport_awkward import examine; {call}")
            except subprocess.CalledProcessError as error:
                ended = names[len(path.read_text().splitlines())]
                found = f"no end in {LIMIT} s" if error.returncode == 1 else "crash"
                with path.open("a") as file:
                    file.write(json.dumps([ended, found, 0.0]) + "\n")
        return [json.loads(line) for line in path.read_text().splitlines()]


def awkward_rows(bench):
    """Count the inputs that each solver gets right; the time is that of all of them."""
    for package in set(PACKAGES.values()):
        bench.peer(package)
    mine = verdicts(OURS)
    peers = ("regot ssns", "ot.sinkhorn") if bench.quick else list(SOLVERS)[:-1]  # not the exact
    for peer in peers:
        (right, seconds, _), (peer_right, peer_seconds, failed) = map(
            summary, (mine, verdicts(peer))
        )
        yield Row(
            f"{len(mine)} awkward inputs", OURS, peer, seconds, peer_seconds,
            measure="right ones", quality=right, peer_quality=peer_right,
            valid=right == len(mine), note=failed,
        )  # fmt: skip


def summary(found):
    """Return how many are right, the seconds of all, and a sentence about the others."""
    failed = [f"{name}: {what}" for name, what, _ in found if what]
    return len(found) - len(failed), sum(s for *_, s in found), "; ".join(failed)


SECTIONS = {"Awkward inputs": awkward_rows}
