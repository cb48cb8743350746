"""Many ratings: what a sweep over all rows and columns takes, and how much memory."""

import functools
import json
import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.completion import complete

from . import _completion_peers as peers
from . import _completion_problems as problems
from ._harness import Row, SkipSection, Timing, compare, fresh, peak_beside
from ._two_threads import NOTE, THREADS, raced, tell

BARS = {16: 4.0, 64: 3.0}
BYTES = 40  # of an entry, beside the factors
_RIDGE = 1.0  # in the units of the values
_SWEEPS = 1, 3  # what the second takes longer, over two, is the time of a sweep
_LOOKED_AT = 200_000  # entries whose errors are told
OURS = "complete"
CMFREC = {
    f"cmfrec {solver} {dtype}": {"use_cg": solver == "CG", "use_float": dtype == "float32"}
    for solver in ("CG", "Cholesky")
    for dtype in ("float32", "float64")
}
CG = [name for name in CMFREC if "CG" in name]  # of rank 64, Cholesky's method takes far longer
MORE = 1.01  # of the peer's error, what is allowed


def ours(known, k):
    """Return a function of a number of sweeps; it returns what predicts.

    The ridge is the peers', of factors: ours is in units of the spread of the values.
    """
    triples = known.rows, known.columns, known.values, known.shape, k
    alpha = _RIDGE / float(np.std(known.values))

    def call(sweeps):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return complete(
                *triples, alpha=alpha, ridge_exponent=0, tol=0, max_iter=sweeps, rng=0
            ).predict

    return call


def cmfrec(known, k, use_float, **options):
    X = peers.coordinates(known, use_float)

    def call(sweeps):
        model = peers.cmfrec_model(
            k, lambda_=_RIDGE, use_float=use_float, niter=sweeps, max_cg_steps=3,
            finalize_chol=False, **options,
        )  # fmt: skip
        return model.fit(X).predict

    return call


def contestants(known, k, settings, n_threads=1):
    return {OURS: ours(known, k)} | {
        name: cmfrec(known, k, nthreads=n_threads, **CMFREC[name]) for name in settings
    }


def in_turns(calls, rounds):
    """Time few sweeps, and more, of each contestant, in turns."""
    pairs = {(name, n): functools.partial(call, n) for name, call in calls.items() for n in _SWEEPS}
    return compare(pairs, rounds=rounds)


def sweeps_of(turns, known, least=False):
    """Return the times of one sweep of each, with the errors after the last one as results.

    They are differences of turns that follow each other, or of the least times of all.
    """
    found = {}
    for name in dict.fromkeys(name for name, _ in turns):
        few, many = (turns[name, n] for n in _SWEEPS)
        found[name] = Timing(
            _sweep(few.cpus, many.cpus, least), _sweep(few.walls, many.walls, least)
        )
        found[name].result = _rmse(known, many.result)
    return found


def _sweep(few, many, least=False):
    if least:
        few, many = [min(few)], [min(many)]
    return [(b - a) / (_SWEEPS[1] - _SWEEPS[0]) for a, b in zip(few, many, strict=True)]


def _rmse(known, predict):
    places = slice(_LOOKED_AT)  # they are in no order
    errors = predict(known.rows[places], known.columns[places]) - known.values[places]
    return float(np.sqrt(np.mean(errors**2)))


def best_of(timings, field="cpu_s"):
    """Return the fastest peer."""
    return min((name for name in timings if name != OURS), key=lambda n: getattr(timings[n], field))


def measured(known, k, settings, rounds, n_threads=1):
    """Return times of sweeps: of ours and the fastest setting of the peer in several rounds.

    Of several threads, from the least times.
    """
    few = problems.scale(0, 0.02)
    for call in contestants(few, k, settings, n_threads).values():
        call(1)  # imports, compiles
    calls = contestants(known, k, settings, n_threads)
    turns = in_turns(calls, 1)
    if rounds > 1:
        kept = OURS, best_of(sweeps_of(turns, known))
        for key, more in in_turns({name: calls[name] for name in kept}, rounds - 1).items():
            turns[key].cpus += more.cpus
            turns[key].walls += more.walls
    return sweeps_of(turns, known, least=n_threads > 1)


def rows_of(bench, known_title, k, timings, clock="cpu", setting=""):
    """Yield a row for each setting of the peer; the fastest one has the bar."""
    best = best_of(timings, f"{clock}_s")
    for peer in timings:
        if peer == OURS:
            continue
        mine, theirs = timings[OURS].result, timings[peer].result
        bar = BARS[k] if peer == best and clock == "cpu" else None
        parts = [setting, "a sweep of rows and columns: (time of 3 - time of 1) / 2"]
        yield Row.of(
            f"{known_title} k={k}", OURS, peer, timings, clock=clock,
            measure=f"RMSE of what is fitted, after {_SWEEPS[1]} sweeps", quality=mine,
            peer_quality=theirs, bar=bench.bar(bar),
            valid=bench.judge(mine <= MORE * theirs) if bar else None,
            note="; ".join(filter(None, parts)) + "; its fastest setting" * (peer == best),
        )  # fmt: skip


def title_of(known):
    return "ratings {}x{}, {:.3g}M".format(*known.shape, len(known.values) / 1e6)


def scale_rows(bench):
    peers.needed(bench, "cmfrec")
    known = problems.scale(0, 0.02 if bench.quick else 1)
    for k, settings, rounds in ((16, list(CMFREC), 3), (64, CG, 3)):
        timings = measured(known, k, settings, rounds)
        yield from rows_of(bench, title_of(known), k, timings)


def larger_rows(bench):
    """Compare on more ratings, once, with settings that are fastest on fewer."""
    peers.needed(bench, "cmfrec")
    known = problems.scale(1, 0.02 if bench.quick else 1)
    for k in BARS:
        timings = measured(known, k, CG if k == 16 else CG[:1], 1)
        yield from rows_of(bench, title_of(known), k, timings)


def race(k, share):
    """Measure in this process, and print it."""
    known = problems.scale(0, share)
    tell(measured(known, k, CG, 3, n_threads=THREADS), title_of(known))


def two_threads_rows(bench):
    """Compare on the wall clock."""
    peers.needed(bench, "cmfrec")
    for k in BARS:
        timings, title = raced("_completion_scale", k, 0.02 if bench.quick else 1)
        yield from rows_of(bench, title, k, timings, "wall", NOTE)


# --- memory


def fitted(k, share):
    """Print what a fit takes in this process, beside the entries; and their number, and shape."""
    ours(problems.scale(0, 0.02), k)(1)  # compiles
    known, start = problems.scale(0, share), time.process_time()
    peak = peak_beside(lambda: ours(known, k)(_SWEEPS[1]))
    print(json.dumps([time.process_time() - start, peak, len(known.values), known.shape]))


def memory_rows(bench):
    """Measure the most memory that a fit takes, in a process of its own."""
    for k in BARS:
        share = 0.1 if bench.quick else 1
        code = f"from benchmarks._completion_scale import fitted; fitted({k}, {share})"
        seconds, peak, size, (m, n) = fresh(code)[1]
        if peak is None:
            raise SkipSection("this system does not tell how much memory a process has held")
        factors = 4 * (m + n) * (k + 1)
        allowed = (BYTES * size + factors) / 2**20
        yield Row.memory(
            f"ratings {m}x{n}, {size / 1e6:.3g}M k={k}", OURS, f"{BYTES} bytes an entry, factors",
            (seconds, peak), (None, allowed), bar=bench.bar(1.0),
            note=f"beside the entries that it is given, of 12 bytes each; "
            f"{(peak * 2**20 - factors) / size:.1f} bytes an entry and the factors, "
            f"which have {factors / 2**20:.0f} MB",
        )  # fmt: skip


SECTIONS = {
    "Many ratings": scale_rows,
    "Many more ratings": larger_rows,
    "Many ratings, two threads (wall time)": two_threads_rows,
    "Memory": memory_rows,
}
