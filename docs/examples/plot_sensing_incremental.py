"""
One rank after the other
========================

Gradient descent from a small start learns a matrix by its ranks: first the best matrix of rank one,
then that of rank two, and so on, although the factors would have room for any rank, and nothing in
the loss asks for a low one (Jin, Li, Lyu, Du and Lee, `2023 <https://arxiv.org/abs/2301.11500>`_).
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.sensing import MatrixMeasurements, gradient_descent, scaled_gd

warnings.simplefilter("ignore", ConvergenceWarning)  # some runs are stopped on their way
n, values = 30, np.array([1, 1 / 2, 1 / 4, 1 / 8])
rng = np.random.default_rng(0)
left, right = (np.linalg.qr(rng.normal(size=(n, len(values))))[0] for _ in range(2))
M = left * values @ right.T
A = MatrixMeasurements(rng.normal(size=(1200, n, n)))
y = A @ M.ravel()

# %%
# Both factors have as many columns as the matrix, 30, so that any matrix is within reach. A
# singular value grows by a constant factor with each step, the more so the larger it will be, and
# stops where it belongs; a smaller start puts these moments further apart. ``scaled_gd`` grows all
# of them at nearly the same pace. A callback sees the factors after each iteration, and tells how
# far they are from the best matrices of rank 1, 2 and 3.
best = [left[:, :k] * values[:k] @ right[:, :k].T for k in (1, 2, 3)]
distances = []


def note(info):
    """Keep the distances from the best matrices of a rank."""
    X = info["left"] @ info["right"].T
    distances.append([np.linalg.norm(X - matrix) / np.linalg.norm(matrix) for matrix in best])


options = {"max_iter": 420, "tol": 1e-5, "rng": 0}
curves = {
    "gradient_descent, start 1e-3": gradient_descent(A, y, n, init_scale=1e-3, **options),
    "gradient_descent, start 1e-6": gradient_descent(A, y, n, callback=note, **options),
    "scaled_gd, fixed steps": scaled_gd(A, y, n, step_size=0.3, **options),
}
for label, result in curves.items():
    history = result.singular_values_history[:, :4]
    half = 1 + np.argmax(history > values / 2, axis=0)
    print(f"{label}: singular values reach a half of themselves in iterations {half}")

figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), sharey=True, layout="constrained")
for axis, (label, result) in zip(axes, curves.items(), strict=True):
    history = result.singular_values_history
    iterations = np.arange(1, len(history) + 1)
    axis.plot(iterations, history[:, 4:], color="0.8", lw=1)
    for i, value in enumerate(values):
        axis.axhline(value, color="0.85", lw=0.8, zorder=0)
        axis.plot(iterations, history[:, i], color=f"C{i}")
    axis.set_title(label, fontsize="medium")
    axis.set_xlabel("iterations")
    axis.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("singular values")
axes[2].set_xlim(axes[1].get_xlim())
plt.show()

# %%
# On its way, descent comes close to the best matrix of each rank, and rests there. So to stop early
# is to choose a rank. The noise of measurements comes last: this is what ``early_stopping=True``
# makes use of, where the rank is not known.
figure, axis = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
for k, path in enumerate(np.transpose(distances), 1):
    axis.semilogy(np.arange(1, len(path) + 1), path, label=f"the best of rank {k}")
    print(f"the best of rank {k} comes as near as {min(path):.3f}, after {np.argmin(path) + 1}")
axis.semilogy(
    np.arange(1, len(distances) + 1),
    curves["gradient_descent, start 1e-6"].history,
    color="0.4",
    ls="--",
    label="relative residual",
)
axis.set(xlabel="iterations", ylabel="relative distance")
axis.legend(frameon=False, loc="lower left")
axis.spines[["top", "right"]].set_visible(False)
plt.show()
