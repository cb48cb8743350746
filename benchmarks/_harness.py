"""Clocks, child processes and tables; nothing here knows a capability.

NumPy must not be imported before :func:`pin_threads` has run, hence the
imports inside functions.
"""

import contextlib
import ctypes
import dataclasses
import datetime
import gc
import importlib
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from . import _machine

_ROOT = Path(__file__).parents[1]
_OUR_POOLS = ("NUMBA_NUM_THREADS", "RAYON_NUM_THREADS")  # and those of peers
_BLAS_POOLS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip


class SkipSection(Exception):
    """What a section needs is not there."""


@dataclasses.dataclass
class Bench:
    """What a capability's sections may ask of the run."""

    quick: bool
    data: Path

    def bar(self, ratio):
        """Return the ratio required at full size; small problems are not judged by it."""
        return None if self.quick else ratio

    def judge(self, verdict):
        """Return whether a result is good enough; nor are small problems judged by that."""
        return None if self.quick else bool(verdict)

    def peer(self, name):
        """Return another package, or skip the section."""
        if importlib.util.find_spec(name) is None:
            raise SkipSection(f"{name} is not installed: pip install lowrank-la[bench]")
        return importlib.import_module(name)

    def file(self, name):
        """Return the path of a data file, or skip the section."""
        if not (self.data / name).exists():
            raise SkipSection(f"{self.data / name} is absent: see --data and LOWRANK_LA_DATA")
        return self.data / name


@dataclasses.dataclass
class Timing:
    """Seconds of every run of one contestant, and what its last run returned."""

    cpus: list = dataclasses.field(default_factory=list)
    walls: list = dataclasses.field(default_factory=list)
    peak_mb: float | None = None
    result: object = None

    @property
    def cpu_s(self):
        """Median CPU time."""
        return statistics.median(self.cpus)

    @property
    def wall_s(self):
        """Median wall time."""
        return statistics.median(self.walls)


@dataclasses.dataclass
class Row:
    """One line of the table; `__main__` documents the fields."""

    problem: str
    ours: str
    peer: str
    cpu_s: float
    peer_cpu_s: float | None
    wall_s: float | None = None
    peer_wall_s: float | None = None
    peak_mb: float | None = None
    peer_peak_mb: float | None = None
    iterations: float | None = None
    peer_iterations: float | None = None
    clock: str = "cpu"
    measure: str = ""
    quality: float | None = None
    peer_quality: float | None = None
    note: str = ""
    valid: bool | None = None
    bar: float | None = None

    @classmethod
    def of(cls, problem, ours, peer, timings, **fields):
        """Row of two contestants of :func:`compare`, by their names."""
        mine, other = timings[ours], timings[peer]
        return cls(
            problem, ours, peer, mine.cpu_s, other.cpu_s, mine.wall_s, other.wall_s,
            mine.peak_mb, other.peak_mb, **fields,
        )  # fmt: skip

    @classmethod
    def memory(cls, problem, ours, peer, mine, other, **fields):
        """Row of the most memory that two processes held; each is (CPU seconds, MB)."""
        (cpu_s, peak), (peer_cpu_s, peer_peak) = mine, other
        return cls(
            problem, ours, peer, cpu_s, peer_cpu_s, peak_mb=peak, peer_peak_mb=peer_peak,
            clock="memory", **fields,
        )  # fmt: skip

    @classmethod
    def allowance(cls, problem, ours, seconds, allowed, **fields):
        """Row of ours against a number of CPU seconds that it may take."""
        return cls(problem, ours, "allowed", seconds, allowed, bar=1.0, **fields)

    @property
    def ratio(self):
        """The peer's time, or its memory, iterations or error, over ours."""
        if self.clock == "error":
            return self.peer_quality / self.quality
        if self.clock == "iterations":
            return self.peer_iterations / self.iterations
        if self.clock == "wall":
            return self.peer_wall_s / self.wall_s
        if self.clock == "memory":
            return self.peer_peak_mb / self.peak_mb if self.peak_mb > 0 else math.inf
        return self.peer_cpu_s / self.cpu_s if self.cpu_s > 0 else math.inf

    @property
    def met(self):
        """Whether the bar is met; None where there is nothing to meet."""
        if self.valid is False:
            return False
        return None if self.bar is None else bool(self.ratio >= self.bar)

    def as_dict(self, section):
        """Return the row as the JSON file holds it."""
        fields = dataclasses.asdict(self)
        bar = fields.pop("bar")
        ratio = min(self.ratio, 1e6)  # JSON knows no infinity
        return {"section": section, **fields, "ratio": ratio, "bar": bar, "met": self.met}


def pin_threads(count, environment=os.environ):
    """Give every thread pool this many threads, BLAS always one.

    Only what is imported later sees it. The threads of BLAS spin for a while
    after each call, which would be charged to whatever runs next.
    """
    if environment is os.environ and "numpy" in sys.modules:
        raise RuntimeError("NumPy is imported already: its thread pool cannot be pinned any more")
    environment.update(dict.fromkeys(_OUR_POOLS, str(count)))
    environment.update(dict.fromkeys(_BLAS_POOLS, "1"))


def compare(calls, quick=False, rounds=None):
    """Time contestants in turns, round after round.

    Parameters
    ----------
    calls : dict of str to callable
        The contestants.
    quick : bool, default=False
        Three rounds; otherwise as many as take a few seconds, 3 to 25. All are
        warmed up before, by one call each that does not count.
    rounds : int, optional
        So many rounds, without a warm-up: for contestants that take long.

    Returns
    -------
    timings : dict of str to Timing

    """
    timings = {name: Timing() for name in calls}
    gc.collect()
    gc.disable()
    if rounds is None:
        slowest = max(_measure(call, timings[name]).walls.pop() for name, call in calls.items())
        rounds = 3 if quick else min(25, max(3, math.ceil(2.0 / slowest)))
    for timing in timings.values():
        timing.cpus.clear(), timing.walls.clear()
    for _ in range(rounds):
        for name, call in calls.items():
            _measure(call, timings[name])
    gc.enable()
    return timings


def peak_beside(call):
    """Return the most MB that a call takes; None where Linux does not tell.

    What was freed before goes back to the system first, where libc can do that: the call
    would take it again, unseen.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
    return _measure(call, Timing()).peak_mb


def _measure(call, timing):
    timing.result = None
    held = _reset_peak_memory()
    wall, cpu = time.perf_counter(), time.process_time()
    timing.result = call()
    timing.cpus.append(time.process_time() - cpu)
    timing.walls.append(time.perf_counter() - wall)
    if held is not None:
        timing.peak_mb = max(timing.peak_mb or 0.0, _memory_mb("VmHWM") - held)
    return timing


def _reset_peak_memory():
    """Forget the peak so far and return what is held now; None where Linux does not tell."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _memory_mb("VmRSS")
    except OSError:
        return None


def _memory_mb(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise OSError(field)


def fresh(code, threads=1, cache=None, variables=()):
    """Run code in a fresh interpreter.

    Parameters
    ----------
    code : str
        May print one line of JSON.
    threads : int, default=1
        Threads of every pool but that of BLAS, which has one.
    cache : path, optional
        Where Numba keeps what it compiled.
    variables : dict of str to str, optional
        Of the environment, besides.

    Returns
    -------
    cpu_s : float
        CPU time of the process, from its start.
    value : object
        What it printed, or None.

    """
    environment = dict(os.environ)
    pin_threads(threads, environment)
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = str(cache)
    environment.update(variables)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT), os.getenv("PYTHONPATH")]))
    program = f"{code}\nimport time; print(time.process_time())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment, cwd=_ROOT, check=True, text=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    *printed, cpu_s = done.stdout.splitlines()
    return float(cpu_s), json.loads(printed[-1]) if printed else None


def fresh_peak(code):
    """Run code in a fresh interpreter; return its CPU seconds and the most MB that it held."""
    report = "import json; from benchmarks import _harness; print(json.dumps(_harness.peak_mb()))"
    return fresh(f"{code}\n{report}")


def peak_mb():
    """Return the most memory that this process has held, in MB; None where Linux does not tell.

    (What `resource.getrusage` says of a process counts in the one that started it.)
    """
    try:
        return _memory_mb("VmHWM")
    except OSError:
        return None


@contextlib.contextmanager
def busy_cores():
    """Keep every core busy with another process."""
    hogs = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        time.sleep(0.5)
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def run(capability, bench, only=""):
    """Measure a capability's sections, print them, and return the report."""
    name = capability.__name__.rpartition(".")[2]
    report = {
        "capability": name,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "quick": bench.quick,
        "command": f"python -m benchmarks {name}" + " --quick" * bench.quick,
        "machine": _machine.describe(),
        "versions": _machine.versions(capability.PEERS),
        "skipped": [],
        "rows": [],
    }
    print_head(report)
    for section, rows in capability.SECTIONS.items():
        if only not in section:
            continue
        print(f"\n{section}")
        try:
            for row in _print_rows(rows(bench)):
                report["rows"].append(row.as_dict(section))
        except SkipSection as reason:
            report["skipped"].append(f"{section}: {reason}")
            print(f"  skipped: {reason}")
    report["machine"]["load_after"] = _machine.load()
    print_summary(report)
    return report


_TITLES = ("problem", "ours", "s", "peer", "s", "quality", "peer's", "ratio", "bar")
_WIDTHS = (-28, -28, 8, -29, 8, 9, 9, 7, -3)


def _line(cells):
    fitted = (f"{c:<{-w}}" if w < 0 else f"{c:>{w}}" for c, w in zip(cells, _WIDTHS, strict=True))
    return "  " + " ".join(fitted).rstrip()


def _cells(row):
    field, unit = {
        "cpu": ("cpu_s", ""), "wall": ("wall_s", " wall"), "memory": ("peak_mb", " MB"),
        "iterations": ("iterations", " steps"), "error": ("quality", " error"),
    }[row.clock]  # fmt: skip
    bar = "" if row.bar is None else f"{row.bar:<3g}"
    return (
        row.problem, row.ours + unit, _short(getattr(row, field)),
        row.peer + unit, _short(getattr(row, f"peer_{field}")),
        _short(row.quality, 7), _short(row.peer_quality, 7), _short(row.ratio, 3),
        bar + {None: "", True: " met", False: " MISSED"}[row.met],
    )  # fmt: skip


def _print_rows(rows):
    """Print rows as they come, and what there is to say about them, once; pass them on."""
    said = None
    print(_line(_TITLES))
    for row in rows:
        print(_line(_cells(row)))
        remark = ": ".join(filter(None, [row.measure, row.note]))
        if remark and remark != said:
            print(f"      {remark}")
        said = remark
        sys.stdout.flush()
        yield row


def _short(value, digits=3):
    if value is None:
        return ""
    return f"{value:.{digits}g}" if value < min(10**digits, 1e4) else f"{value:.0f}"


def print_head(report):
    """Say what ran where."""
    where = report["machine"]
    print(f"{report['command']}   {report['date']}")
    print(f"{where['cpu']}, {where['cores']} cores, load {where['load_before']}")
    print(f"BLAS: {'; '.join(where['blas'])}; one thread unless said")
    print(", ".join(f"{name} {version}" for name, version in report["versions"].items()))
    if report["quick"]:
        print("quick: small problems; bars that were set for large ones are not judged")
    print("Seconds of CPU time, medians, in turns. Ratio: the peer's over ours. Bar: least ratio.")


def print_summary(report):
    """Count the bars."""
    verdicts = [row["met"] for row in report["rows"]]
    print(f"\nbars met: {verdicts.count(True)}, missed: {verdicts.count(False)}", end="; ")
    print(f"load average {report['machine']['load_before']} before, ", end="")
    print(f"{report['machine']['load_after']} after")


def _plain(value):
    """Return what JSON can hold of a NumPy scalar."""
    return value.item()


def write(report, path):
    """Write the JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, default=_plain) + "\n")
