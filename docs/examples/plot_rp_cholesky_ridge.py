"""
Where a kernel needs to be known
================================

Temperatures are measured where people live: thousands of times in a few towns, now and then in
between. Kernel ridge regression makes a map of them, from all stations, by solving a system as
large as there are stations. From a few of them it is fast: but a sample that is drawn by chance has
the towns over and over, and hardly any of the countryside. Randomly pivoted Cholesky draws where
the kernel is not explained yet.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse.linalg import LinearOperator, cg
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import make_pipeline

from lowrank_la.decomposition import RPCholeskyKernelMap, rp_cholesky

# %%
# The data are made up: twelve towns, a station in ten outside of them; temperatures, in degrees,
# that change smoothly over some ten kilometres, and are measured with an error of 0.3.
rng = np.random.default_rng(0)
n, n_outside, noise = 4000, 400, 0.3
towns = rng.uniform(8, 92, (12, 2))
town = rng.choice(12, n, p=1 / np.arange(1, 13) / np.sum(1 / np.arange(1, 13)))
X = towns[town] + rng.normal(0, 2.5, (n, 2))
X[:n_outside] = rng.uniform(0, 100, (n_outside, 2))
X = X.clip(0, 100)
hills, heights = rng.uniform(0, 100, (60, 2)), rng.normal(15, 1, 60)
heights -= heights.mean()


def temperature(places):
    """The truth, at some places."""
    return 15 + 2 * rbf_kernel(places, hills, gamma=1 / (2 * 9**2)) @ heights


y = temperature(X) + noise * rng.standard_normal(n)
sides = np.linspace(0, 100, 81)
places = np.stack(np.meshgrid(sides, sides), axis=-1).reshape(-1, 2)
truth = temperature(places)

# %%
# Kernel ridge regression by way of features: their scalar products approximate the kernel, so that
# a linear model takes the place of one of kernels. Both kinds of features are those of a few
# stations; which ones makes the difference.
gamma, alpha = 1 / (2 * 8**2), noise**2
ranks = np.array([25, 50, 100, 150, 200, 300, 400])
kinds = {
    "Nystroem": [Nystroem(gamma=gamma, n_components=k, random_state=0) for k in ranks],
    "RPCholeskyKernelMap": [RPCholeskyKernelMap(k, gamma=gamma, random_state=0) for k in ranks],
}
maps, errors = {}, {}
for name, features in kinds.items():
    models = [make_pipeline(part, Ridge(alpha=alpha)).fit(X, y) for part in features]
    maps[name] = [model.predict(places) for model in models]
    errors[name] = [np.sqrt(np.mean((found - truth) ** 2)) for found in maps[name]]
    print(f"{name:<21}" + " ".join(f"{error:6.3f}" for error in errors[name]))

# %%
# The map from all stations needs the solution of a system in the kernel matrix, by conjugate
# gradients. An approximation of this matrix, plus alpha on the diagonal, is inverted at once, and
# is a preconditioner: with it, few steps are left.
K = rbf_kernel(X, gamma=gamma)
shifted = LinearOperator((n, n), matvec=lambda z: K @ z + alpha * z)


def preconditioner(factor):
    """The inverse of ``factor @ factor.T + alpha I``, times alpha, by Woodbury's formula."""
    small = cho_factor(factor.T @ factor + alpha * np.eye(factor.shape[1]))
    return LinearOperator((n, n), matvec=lambda z: z - factor @ cho_solve(small, factor.T @ z))


k, centred = 200, y - y.mean()
by_chance = Nystroem(gamma=gamma, n_components=k, random_state=0).fit_transform(X)
pivoted = rp_cholesky(X, k, kernel="rbf", gamma=gamma, rng=0)
operators = {
    "no preconditioner": None,
    f"Nystroem, {k} stations": preconditioner(by_chance),
    f"rp_cholesky, {k} stations": preconditioner(pivoted.factor),
}
residuals = {}
for name, operator in operators.items():
    steps = residuals[name] = [1.0]

    def note(x, steps=steps):
        """Keep how much is left."""
        steps.append(np.linalg.norm(centred - shifted @ x) / np.linalg.norm(centred))

    solution, _ = cg(shifted, centred, rtol=1e-8, M=operator, callback=note, maxiter=400)
    print(f"{name:<26}{len(steps) - 1:>4} steps")

exact = y.mean() + rbf_kernel(places, X, gamma=gamma) @ solution
exact_error = np.sqrt(np.mean((exact - truth) ** 2))
print(f"from all stations, an error of {exact_error:.3f} degrees")

# %%
# Left, the stations. In the middle and on the right, what maps from 200 of them are off by; these
# are drawn as dots. Far from every dot all features are nearly zero, and the map knows nothing.
at = int(np.flatnonzero(ranks == k)[0])
figure, axes = plt.subplots(1, 3, figsize=(10, 4.7), layout="compressed", sharey=True)
levels = np.arange(np.floor(truth.min()), np.ceil(truth.max()) + 1)
first = axes[0].contourf(sides, sides, truth.reshape(81, 81), levels=levels, cmap="YlOrRd")
axes[0].plot(*X.T, "k.", ms=1, alpha=0.4)
axes[0].set_title(f"the truth, and {n:,} stations", fontsize="medium")
figure.colorbar(first, ax=axes[0], label="degrees", location="bottom", shrink=0.9)
for axis, (name, features) in zip(axes[1:], kinds.items(), strict=True):
    wrong = (maps[name][at] - truth).reshape(81, 81)
    image = axis.contourf(
        sides, sides, wrong, levels=np.linspace(-1.75, 1.75, 15), cmap="RdBu_r", extend="both"
    )
    axis.plot(*features[at].components_.T, "k.", ms=3)
    axis.set_title(f"{name}, {k} of them", fontsize="medium")
figure.colorbar(
    image, ax=axes[1:], label="degrees above or below the truth", location="bottom",
    shrink=0.6, ticks=[-1.5, -1, -0.5, 0, 0.5, 1, 1.5],
)  # fmt: skip
for axis in axes:
    axis.set(aspect="equal", xlim=(0, 100), ylim=(0, 100), xlabel="km")
axes[0].set_ylabel("km")
plt.show()

# %%
# Left, how far maps are from the truth: from 200 pivots, no further than from all stations. Right,
# the steps to the exact solution.
colours = {"Nystroem": "#d55e00", "RPCholeskyKernelMap": "#0072b2"}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.9), layout="constrained")
for name, values in errors.items():
    left.plot(ranks, values, "o-", ms=4, color=colours[name], label=name)
left.axhline(exact_error, color="0.5", ls=":", label=f"all {n:,} stations")
left.set(xlabel="components", ylabel="root mean square error, degrees", ylim=(0, None))
for colour, (name, values) in zip(("0.5", *colours.values()), residuals.items(), strict=True):
    right.semilogy(values, color=colour, lw=2, label=name)
right.set(xlabel="steps of conjugate gradients", ylabel="relative residual")
for axis in (left, right):
    axis.legend(frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
plt.show()
