"""
Nine deciles, and a median that lies firm
=========================================

How long a journey takes depends on the hour, and so does how much that varies: who must not be late
needs the ninth decile, not the mean. Quantile regression fits all deciles at once. The middle one,
the median, is the fit of least absolute residuals, which readings that are wrong hardly move.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.preprocessing import SplineTransformer

from lowrank_la.linear_model import lp_regression, lstsq

# %%
# Thirty thousand journeys, made up: slow in the morning and in the evening, most uncertain then.
rng = np.random.default_rng(0)
n = 30_000
hour = rng.uniform(5, 23, n)


def rush(hour):
    """How busy the roads are, from 0 to 1."""
    return np.exp(-((hour - 8) ** 2) / 2) + 0.8 * np.exp(-((hour - 17.5) ** 2) / 5)


median = 20 + 12 * rush(hour)
minutes = median * np.exp((0.05 + 0.3 * rush(hour)) * rng.standard_normal(n))

# %%
# The columns are cubic splines of the hour. They add up to one, so that there is a constant among
# their combinations.
splines = SplineTransformer(n_knots=15).fit(hour[:, None])
A = splines.transform(hour[:, None])
deciles = np.arange(1, 10) / 10
fit = lp_regression(A, minutes, quantile=deciles)
print(f"{A.shape[1]} columns, {len(deciles)} quantiles, {fit.n_iter} iterations")
print(f"relative duality gaps at most {np.max(fit.duality_gap / fit.objective):.0e}")

# %%
# Each curve has its share of the journeys below it: for all of them together that is so by the
# definition of the fit, at each hour only if the columns can follow.
busy = abs(hour - 8) < 1
for chosen, when in (np.ones(n, bool), "all day"), (busy, "7 to 9 o'clock"):
    below = np.mean(minutes[chosen, None] < A[chosen] @ fit.x, axis=0)
    print(f"{when:<15}" + " ".join(f"{share:6.3f}" for share in below))

# %%
# Now one clock in twenty is wrong, and adds up to six hours.
wrong = rng.random(n) < 0.05
recorded = minutes + wrong * rng.uniform(0, 360, n)
robust = lp_regression(A, recorded)
mean = lstsq(A, recorded)
truth = A @ fit.x[:, 4]
for name, x in (("least squares", mean.x), ("median", robust.x)):
    moves = abs(A @ x - truth)
    print(f"{name:<14}is off by {np.mean(moves):.1f} minutes, at most {np.max(moves):.1f}")

# %%
# Left: of the journeys that begin at eight half take no more than 32 minutes; but nine in ten take
# up to 49. Right: the same journeys, with the wrong clocks. Least squares mix times and nonsense;
# the median hardly moves.
shown = np.linspace(5, 23, 400)
curves = (splines.transform(shown[:, None]) @ np.column_stack([fit.x, robust.x, mean.x])).T
few = rng.choice(n, 3000, replace=False)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.3), layout="constrained", sharex=True)
left.plot(hour[few], minutes[few], ".", ms=2, color="0.75", zorder=0)
for k in range(4):
    colour = plt.cm.Blues(0.3 + 0.15 * k)
    left.fill_between(shown, curves[k], curves[8 - k], color=colour, lw=0, alpha=0.8)
for k, name in (
    (8, "nine in ten take less"),
    (4, "half take less: the median"),
    (0, "one in ten takes less"),
):
    left.plot(shown, curves[k], color="#08306b", lw=2 if k == 4 else 1, label=name)
right.plot(hour[few], recorded[few], ".", ms=2, color="0.75", zorder=0)
right.plot(shown, curves[10], color="#d55e00", lw=2, label="least squares, 5 % of clocks wrong")
right.plot(shown, curves[9], color="#0072b2", lw=2, label="median, 5 % of clocks wrong")
right.plot(shown, curves[4], "k:", label="median, all clocks right")
for axis in (left, right):
    axis.set(xlabel="hour of departure", ylabel="minutes", ylim=(0, 100), xticks=range(6, 24, 3))
    axis.legend(frameon=False, loc="upper right")
    axis.spines[["top", "right"]].set_visible(False)
left.set_title("nine deciles at once")
right.set_title("one clock in twenty is wrong")
plt.show()
