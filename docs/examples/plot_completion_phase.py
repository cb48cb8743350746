"""
How few entries are enough
==========================

A matrix of 200 rows and columns and rank 5 is the product of two factors, which have
r (m + n - r) = 1975 numbers to choose. No method can find it from fewer entries than that. How near
to this limit do the two solvers get?
"""

import json
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.completion import complete

n, rank = 200, 5
freedom = rank * (2 * n - rank)


def some_entries(per_line, rng):
    """Matrix of a low rank, singular values from 10 to 1; and where it is observed.

    These are places of so many permutations: about as many entries in each row and column.
    """
    left, right = (np.linalg.qr(rng.standard_normal((n, rank)))[0] for _ in range(2))
    known = np.zeros((n, n), bool)
    for _ in range(per_line):
        known[np.arange(n), rng.permutation(n)] = True
    return n * left * np.geomspace(10, 1, rank) @ right.T, known


def fitted(A, known, **options):
    """What a solver makes of the entries that are known."""
    rows, columns = np.nonzero(known)
    return complete(
        rows, columns, A[known], A.shape, rank, alpha=0, fit_bias=False, rng=0, **options
    )


# %%
# The entries are exact, so there is no ridge, ``alpha=0``. Four matrices for each number of
# entries; one is recovered if all of its 40,000 entries are met, within a thousandth of their norm.
# Alternating least squares stop after 150 sweeps; the warning that these were too few is not shown.
warnings.simplefilter("ignore", ConvergenceWarning)
solvers = {"als": {"max_iter": 150, "tol": 1e-12}, "gauss_newton": {}}
per_line = [11, 12, 13, 15, 20, 24, 27, 30, 40]
draws = 4
oversampling = np.zeros(len(per_line))
found = {solver: np.zeros(len(per_line)) for solver in solvers}
for i, count in enumerate(per_line):
    for seed in range(draws):
        A, known = some_entries(count, np.random.default_rng(seed))
        oversampling[i] += known.sum() / freedom / draws
        for solver, options in solvers.items():
            result = fitted(A, known, solver=solver, **options)
            error = np.linalg.norm(result.left @ result.right.T - A) / np.linalg.norm(A)
            found[solver][i] += (error < 1e-3) / draws

print(f"{'entries over the limit':<24}" + "".join(f"{x:>6.2f}" for x in oversampling))
for solver, share in found.items():
    print(f"{solver:<24}" + "".join(f"{x:>6.0%}" for x in share))

# %%
# Where both succeed, they do so in different ways: alternating steps take off a share of the error
# each, Gauss-Newton steps double its digits. Before these, a penalty of the singular values falls
# step by step.
A, known = some_entries(40, np.random.default_rng(0))
als = np.sqrt(fitted(A, known, solver="als", max_iter=16, tol=0).history / known.sum())
newton = fitted(A, known, solver="gauss_newton").history

figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
colours = {"als": "C0", "gauss_newton": "C3"}
for solver, share in found.items():
    axes[0].plot(oversampling, share, "o-", color=colours[solver], label=f'solver="{solver}"')
axes[0].axvspan(0.5, 1, color="0.92", lw=0)
axes[0].text(0.75, 0.5, "fewer entries\nthan numbers", rotation=90, ha="center", va="center")
axes[0].set(
    xlim=(0.5, None), xlabel="entries over numbers to choose", title="share of matrices recovered"
)
axes[0].yaxis.set_major_formatter("{x:.0%}")
axes[0].legend(frameon=False, loc="lower right")
for solver, history in (("als", als), ("gauss_newton", newton)):
    axes[1].semilogy(np.arange(1, len(history) + 1), history, "o-", ms=3, color=colours[solver])
axes[1].set(xlabel="sweeps, or steps", title="residuals, of 40 entries in a row")
for axis in axes:
    axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The project's benchmark asks the same for 300 rows and columns and several ranks. Where its
# results are at hand (``python -m benchmarks completion`` writes them), they are drawn here: shares
# of matrices recovered, in full lines by ``complete``, in broken ones by alternating least squares.
path = Path("../../benchmarks/results/completion.json")
rows = json.loads(path.read_text("utf-8"))["rows"] if path.exists() else []
measured = {}
for row in rows:
    if row["section"] == "Phase transition":
        size, *words = row["problem"].split()
        case = dict(word.split("=") for word in words)
        shares = float(case["os"]), row["quality"], row["peer_quality"]
        measured.setdefault(int(case["r"]), []).append(shares)
if measured:
    figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
    axis.axvspan(0.5, 1, color="0.92", lw=0)
    for i, (rank, shares) in enumerate(measured.items()):
        x, ours, als = zip(*sorted(shares), strict=True)
        axis.plot(x, ours, "o-", color=f"C{i}", label=f"rank {rank}")
        axis.plot(x, als, "o--", color=f"C{i}", mfc="white")
    title = "share of matrices recovered"
    axis.set(xlim=(0.5, None), xlabel="entries over numbers to choose", title=title)
    axis.yaxis.set_major_formatter("{x:.0%}")
    axis.legend(frameon=False, loc="lower right")
    axis.spines[["top", "right"]].set_visible(False)
    plt.show()
