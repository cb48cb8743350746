"""
The few rows that matter
========================

Sixty thousand properties of a town, most of them flats, and what they were sold for. A fit to a
few per cent of the rows would be as good as one to all of them, were it not for a kind of building
that was sold a dozen times only, and for more than a thousand flats each. A sample drawn by chance
alone has hardly one of these in it. Lewis weights tell how much a row can matter to a fit of least
absolute residuals, before anything is fitted.
"""

import matplotlib.pyplot as plt
import numpy as np

from lowrank_la.linear_model import lp_regression
from lowrank_la.sampling import leverage_scores, lewis_weights, sample_rows

# %%
# The table is made up, but like others of its kind. Some kinds of property and some districts are
# common, some rare; prices rise with the floor area, at a rate for each kind; they scatter by a
# tenth, and one in fifty was recorded wrongly, by a factor of ten.
rng = np.random.default_rng(0)
n = 60_000
sold = {"flat": n - 4812, "house": 4000, "shop": 500, "office": 200, "warehouse": 80, "hotel": 20}
sold["tower"] = 12
kind = np.repeat(np.arange(7), list(sold.values()))
size = np.array([70, 140, 120, 600, 3000, 5000, 40_000])[kind]  # square metres
rate = np.array([4.0, 3.5, 6.0, 5.0, 1.2, 6.0, 8.0])[kind]  # thousands for each
area = size * rng.lognormal(0, 0.4, n)
district = np.minimum(rng.zipf(1.5, n), 40) - 1
age = rng.uniform(0, 100, n)
price = rate * area + rng.normal(0, 40, 40)[district] - 0.6 * age
price *= 1 + 0.1 * rng.standard_normal(n)
wrong = rng.random(n) < 0.02
price[wrong] *= rng.choice([0.1, 10], wrong.sum())

of_kind = np.eye(7)[kind]  # a base price and a rate for each kind
A = np.column_stack([of_kind, of_kind * area[:, None], np.eye(40)[district][:, 1:], age])
best = lp_regression(A, price)
print("{:,} rows, {} columns".format(*A.shape))

# %%
# What rows are drawn in proportion to. The target is a column for them, so that rows with an
# unusual price count, too.
table = np.column_stack([A, price])
scores = {
    "uniform": np.ones(n),
    "leverage scores": leverage_scores(table),
    "Lewis weights, p = 1": lewis_weights(table, p=1).weights,
}
for name, values in scores.items():
    shares = np.bincount(kind, values) / values.sum()
    told = ", ".join(f"{label} {share:.2%}" for label, share in zip(sold, shares, strict=True))
    print(f"{name:<21}{told}")


# %%
# Fifteen samples of each size, and how far the fit to each is from the best one, in absolute
# residuals of all rows.
def fitted(values, m, seed):
    """Coefficients of the fit to a sample of m rows."""
    rows, weights = sample_rows(values, m, rng=seed)
    return lp_regression(A[rows], price[rows], sample_weight=weights).x


sizes, n_samples = (300, 600, 1200, 2400, 4800), 15
fits = {
    name: np.array([[fitted(values, m, seed) for seed in range(n_samples)] for m in sizes])
    for name, values in scores.items()
}
excess = {
    name: abs(price - coefs @ A.T).sum(axis=-1) / best.objective - 1 for name, coefs in fits.items()
}
for name, values in excess.items():
    medians = ", ".join(f"{value:.2%}" for value in np.median(values, axis=1))
    print(f"{name:<21}{medians}; at worst {values.max():.0%}")

# %%
# Left: the fits to uniform samples leave more than twice the residuals of the best fit, and drawing
# sixteen times as many rows hardly helps. With samples by Lewis weights the excess is a few per
# cent, and each doubling of the sample about halves it. So it is with leverage scores, on average;
# but these are made for squares, and the smallest samples can go wrong. Right, why: most uniform
# samples have no tower at all, and the fit gives them a price of nothing; some have one, and follow
# it. The samples by Lewis weights have all twelve.
colours = dict(zip(scores, ("#d55e00", "#999999", "#0072b2"), strict=True))
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.3), layout="constrained")
for name, values in excess.items():
    low, high = values.min(axis=1), values.max(axis=1)
    left.fill_between(sizes, low, high, color=colours[name], alpha=0.15)
    left.loglog(sizes, np.median(values, axis=1), "o-", ms=4, color=colours[name], label=name)
left.set(
    xlabel=f"rows drawn, of {n:,}", ylabel="absolute residuals beyond those of the best fit",
    title="fits to samples, judged on all rows", xticks=sizes, xticklabels=sizes,
    ylim=(1e-4, 20),
)  # fmt: skip
left.minorticks_off()
left.set_yticks([1e-3, 1e-2, 1e-1, 1, 10], ["0.1 %", "1 %", "10 %", "100 %", "1000 %"])
left.legend(frameon=False, loc="lower left", title="median and range of 15 samples")

span, shown = np.array([0, 110_000]), sizes.index(2400)
for name in ("uniform", "Lewis weights, p = 1"):
    lines = fits[name][shown][:, [6, 13]] @ [np.ones(2), span] / 1000
    right.plot(span, lines.T, color=colours[name], lw=1, alpha=0.6)
    right.plot([], color=colours[name], label=f"{n_samples} samples, {name}")
towers = kind == 6
right.plot(area[towers], price[towers] / 1000, "ko", ms=5, label="towers that were sold")
none = np.sum(fits["uniform"][shown][:, 13] == 0)
right.annotate(
    f"{none} of the {n_samples} uniform samples have no tower", (span[1], 0), (0, 5),
    textcoords="offset points", ha="right", color=colours["uniform"],
)  # fmt: skip
right.set(
    xlabel="floor area, square metres", ylabel="price, millions", ylim=(-40, 1100),
    title=f"what samples of {sizes[shown]:,} rows say of towers",
    xticks=range(0, 120_000, 25_000),
)  # fmt: skip
right.xaxis.set_major_formatter("{x:,.0f}")
right.legend(frameon=False, loc="upper left")
for axis in (left, right):
    axis.spines[["top", "right"]].set_visible(False)
plt.show()
