"""Large matrices: fast transforms, and measurements of rank one; time, and memory.

Each is measured in a process of its own, with two threads.
"""

import json
import time

import numpy as np

from lowrank_la.sensing import RankOneMeasurements, TransformMeasurements, scaled_gd

from . import _sensing_problems as problems
from ._harness import Row, SkipSection, fresh, peak_beside
from ._sensing_courses import UNTIL_MET
from ._two_threads import BLAS, THREADS

TARGET, SECONDS = 1e-8, 60.0  # relative error of the matrix, seconds on the wall
NUMBERS = 20  # for each entry of the matrix and each measurement, that may be kept at a time
OURS = "scaled_gd"


def transformed(n, r, transform):
    """Return measurements by a fast transform, five for each number of the factors, and these."""
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((2, n, r))
    return TransformMeasurements(10 * n * r, (n, n), transform, random_state=0), *factors


def rank_one(n, r):
    """Return quadratic measurements, ten for each number of the factor, and the factor."""
    rng = np.random.default_rng(0)
    left = rng.standard_normal((n, r))
    return RankOneMeasurements(rng.standard_normal((10 * n * r, n))), left, left


FAMILIES = {"transform": transformed, "rank one": rank_one}


def recovered(family, *options):
    """Recover a matrix in this process; print seconds, memory beside A, error, and sizes."""
    warm = FAMILIES[family](64, 1, *options[2:])
    found_of(*warm)  # compiles
    A, left, right = FAMILIES[family](*options)
    y, told, start = A.apply_factors(left, right), {}, (time.process_time(), time.perf_counter())

    def call():
        told["result"] = found_of(A, left, right, y)

    peak = peak_beside(call)
    result = told.pop("result")
    told["cpu"], told["wall"] = time.process_time() - start[0], time.perf_counter() - start[1]
    error = problems.relative_of_factors((left, right), (result.left, result.right))
    told |= {"peak": peak, "error": error, "n_iter": result.n_iter, "m": len(y)}
    print(json.dumps(told))


def found_of(A, left, right, y=None):
    y = A.apply_factors(left, right) if y is None else y

    def callback(info):
        found = info["left"], info["right"]
        return problems.relative_of_factors((left, right), found) < TARGET

    return scaled_gd(
        A, y, left.shape[1], symmetric=left is right, tol=UNTIL_MET, callback=callback, rng=0
    )


def large_rows(bench):
    """Yield time, and memory beside that of the matrices that measure."""
    n = 200 if bench.quick else 1000
    cases = [("transform", n, 5, "dct"), ("transform", n, 5, "hadamard"), ("rank one", 2 * n, 2)]
    for case in cases:
        code = f"from benchmarks._sensing_large import recovered; recovered{case!r}"
        told = fresh(code, THREADS, variables=BLAS)[1]
        if told["peak"] is None:
            raise SkipSection("this system does not tell how much memory a process has held")
        yield from rows_of(bench, case, told)


def rows_of(bench, case, told):
    family, n, r, *rest = case
    m, barred = told["m"], rest != ["hadamard"]
    title = f"{' '.join(rest) or family}, {n}x{n} r={r} m={m}"
    good = bench.judge(told["error"] <= TARGET)
    yield Row(
        title, f"{OURS}, {THREADS} threads", "allowed", told["cpu"], None, told["wall"], SECONDS,
        iterations=told["n_iter"], clock="wall", measure="relative error of the matrix",
        quality=told["error"], valid=good, bar=bench.bar(1.0 if barred else None),
        note=f"{told['n_iter']} iterations, {told['cpu']:.2g} s of CPU time",
    )  # fmt: skip
    tensor = m * n**2 * 8 / 2**20
    kept = m * n if family == "rank one" else n**2
    allowed = NUMBERS * 8 * (m + (n * r if family == "rank one" else n**2)) / 2**20
    yield Row.memory(
        title, OURS, "O(m + n r)" if family == "rank one" else "O(m + n^2)",
        (told["cpu"], told["peak"]), (None, allowed), bar=bench.bar(1.0 if barred else None),
        note=f"beside the measurements, of {kept * 8 / 2**20:.3g} MB; allowed: {NUMBERS} numbers "
        f"for each; all A_i would take {tensor / 2**20:.3g} TB",
    )  # fmt: skip


SECTIONS = {"Large matrices, two threads": large_rows}
