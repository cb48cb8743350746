"""Measure a capability against other packages: ``python -m benchmarks <capability>``.

One file of this directory is one capability (those that begin with ``_`` are
parts of one): it declares ``PEERS`` (the
packages that it is compared with) and ``SECTIONS`` (title to a function that
takes a :class:`~benchmarks._harness.Bench` and yields
:class:`~benchmarks._harness.Row` objects). ``_harness.py`` knows no capability.

A full run writes ``benchmarks/results/<capability>.json``, which README and
docs draw from; ``--quick`` checks the machinery on small problems in a minute,
judges no bar that was set for a larger one. It and ``--only`` write only what
``--json`` names. The file holds::

    capability  str
    date        str, UTC, ISO 8601
    quick       bool
    command     str
    machine     cpu, cores, memory_gb, system, blas (library, kernel, version),
                load_before, load_after (1-minute load averages), threads
    versions    {package: version}, and commit of lowrank_la
    skipped     list of str: what was not measured, and why
    rows        list of
        section, problem         str
        ours, peer               str: what was compared with what
        cpu_s, wall_s            seconds of ours: CPU time and wall time
        peer_cpu_s, peer_wall_s  seconds of the peer; or the seconds allowed; or null
        peak_mb, peer_peak_mb    most memory taken during a call (the first one, which
                                 compiles, included) beyond what was held before; where
                                 the ratio is of them, by a fresh process, beyond what
                                 one holds that only imports; or the MB allowed; or null
        iterations, peer_iterations  number of them, or the number allowed; or null
        clock                    what the ratio is of: "cpu", "wall", "memory", "iterations",
                                 or "error" where quality is one
        measure                  str: what quality is ("loss", ...)
        quality, peer_quality    float or null
        note                     str
        valid                    whether the results passed the row's check; null where it has none
        ratio                    the peer's seconds, MB, iterations or error, over ours
        bar                      the ratio required, or null
        met                      whether ratio >= bar and valid is not false; null where the
                                 row only informs
"""

import argparse
import importlib
import os
import sys
from pathlib import Path

from . import _harness

_HERE = Path(__file__).parent


def main(arguments=None):
    """Run one capability's benchmarks and print them as a table."""
    capabilities = sorted(path.stem for path in _HERE.glob("[!_]*.py"))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("capability", choices=capabilities)
    parser.add_argument("--quick", action="store_true", help="small problems, in about a minute")
    parser.add_argument("--only", default="", metavar="TEXT", help="sections with it in the title")
    parser.add_argument("--data", type=Path, metavar="DIR", help="real data (LOWRANK_LA_DATA)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the results")
    options = parser.parse_args(arguments)

    _harness.pin_threads(1)
    capability = importlib.import_module(f".{options.capability}", __package__)
    data = options.data or os.environ.get("LOWRANK_LA_DATA") or _HERE.parents[1] / "shared/data"
    report = _harness.run(capability, _harness.Bench(options.quick, Path(data)), options.only)
    target = options.json
    if target is None and not options.quick and not options.only:
        target = _HERE / "results" / f"{options.capability}.json"
    if target:
        _harness.write(report, target)
        print(f"\nwritten: {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
