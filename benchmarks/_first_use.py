"""What the first call costs, in fresh processes, beyond the imports that it needs."""

import tempfile

import numpy as np

from ._harness import Row, fresh

IMPORT = """
import json, sys, time
import numpy
start = time.process_time()
import lowrank_la
seconds = time.process_time() - start
print(json.dumps([seconds, [name for name in ("numba", "sklearn") if name in sys.modules]]))
"""


def first_use_rows(bench, base, call, name):
    """Measure the import, and a call with nothing compiled yet, and with all on disk.

    `base` is what imports the packages that are needed and makes the data.
    """
    rounds = 1 if bench.quick else 5
    imports = [fresh(IMPORT)[1] for _ in range(rounds + 1)][1:]
    loaded = imports[0][1]
    yield Row.allowance(
        "import lowrank_la", "import, beyond numpy", np.median([s for s, _ in imports]), 0.1,
        valid=not loaded, note=f"loads {loaded or 'neither numba nor scikit-learn'}",
    )  # fmt: skip
    bases, cold, warm = [], [], []
    fresh(base)
    for _ in range(rounds):
        bases.append(fresh(base)[0])
        with tempfile.TemporaryDirectory() as cache:
            cold.append(fresh(f"{base}; {call}", cache=cache)[0])
            warm.append(fresh(f"{base}; {call}", cache=cache)[0])
    imported = np.median(bases)
    note = f"CPU of a fresh process, less {imported:.2f} s for importing numba and scikit-learn"
    for state, seconds, allowed in (("empty", cold, 4.0), ("warm", warm, 0.6)):
        beyond = max(0.0, float(np.median(seconds) - imported))
        yield Row.allowance(f"first call, {state} cache", name, beyond, allowed, note=note)
