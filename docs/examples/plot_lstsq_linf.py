"""
No coefficient left behind
==========================

A sketch replaces many rows of a least-squares problem by few combinations of them. That the
*residual* is nearly the smallest one can be had from any good sketch. That *each coefficient* is
near its place cannot: a sketch that puts each row into a single row of its own may spoil one of
them entirely, where dense sketches spread the error evenly.
"""

import matplotlib.pyplot as plt
import numpy as np

from lowrank_la.linear_model import lstsq

# %%
# Each of 64 quantities is measured once on its own, and faintly in all of 8192 readings. One
# reading is off by one. That is all that is wrong: the best coefficients are nearly the true ones,
# which are zero.
rng = np.random.default_rng(0)
n, d = 8192, 64
A = 1e-3 * rng.normal(size=(n, d))
A[np.arange(d) * (n // d), np.arange(d)] += 1
b = np.zeros(n)
b[777] = 1

# %%
# The guarantee is in these units: the norm of the residual, over the root of the number of
# columns and the smallest singular value.
exact = lstsq(A, b)
unit = exact.residual_norms / np.sqrt(d) / np.linalg.svdvals(A)[-1]

# %%
# A hundred sketches of each kind, of 12 rows per column.
kinds = {
    "srht": "SRHT, dense",
    "sparse_sign": "sparse sign, 8 entries a column",
    "countsketch": "CountSketch, one entry a column",
}
errors = {}
for kind in kinds:
    solutions = [
        lstsq(A, b, method="sketch", sketch=kind, sketch_size=12 * d, rng=seed).x
        for seed in range(100)
    ]
    errors[kind] = np.abs(np.array(solutions) - exact.x) / unit
    worst = errors[kind].max(axis=1)
    print(
        f"{kinds[kind]:<32} median of all {np.median(errors[kind]):.2f}; of the worst entry: "
        f"median {np.median(worst):.2f}, 95th percentile {np.quantile(worst, 0.95):.2f}"
    )

# %%
# Left: all errors. Most coefficients are nearer to their places by CountSketch than by the dense
# sketch; but some are spoiled, by up to eight units, the root of 64: all that the residual can do.
# The row that such a coefficient depends on has met the wrong reading in a row of the sketch, or
# that of another coefficient. Right: the worst coefficient of each sketch.
colours = {"srht": "#0072b2", "sparse_sign": "#009e73", "countsketch": "#d55e00"}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
for kind, aside in ("countsketch", -0.2), ("srht", 0.2):
    place = np.broadcast_to(np.arange(d) + aside, errors[kind].shape)
    left.plot(place.ravel(), errors[kind].ravel(), ".", ms=3, color=colours[kind], alpha=0.5)
left.set(xlabel="coefficient", ylabel="error, units of the guarantee", ylim=(-0.2, 8.8))
left.annotate("all of the residual", (0, np.sqrt(d)), (0, 3), textcoords="offset points")
for kind, name in kinds.items():
    worst = np.sort(errors[kind].max(axis=1))
    right.plot(np.arange(1, 101), worst, color=colours[kind], label=name)
right.set(xlabel="sketches whose worst coefficient is no worse, %")
right.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, 0.9))
for axis in (left, right):
    axis.axhline(np.sqrt(d), color="0.7", ls=":", zorder=0)
    axis.spines[["top", "right"]].set_visible(False)
plt.show()
