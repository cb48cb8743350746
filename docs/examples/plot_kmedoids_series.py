"""
Time series of different lengths
================================

Dynamic time warping compares series that run at different speeds. It is no metric, and what would
be the mean of series of different lengths? A medoid is one of them.
"""

import matplotlib.pyplot as plt
import numpy as np
from numba import njit
from sklearn.metrics import adjusted_rand_score

from lowrank_la.cluster import KMedoids

rng = np.random.default_rng(0)


# %%
# Cylinders, bells and funnels (Saito 1994): a plateau, a slow rise or a slow fall, which begins and
# ends at random times; the series have between 60 and 120 values.
def series(shape):
    length = int(rng.integers(60, 121))
    begin, end = int(rng.integers(8, length // 3)), int(rng.integers(length // 2, length - 8))
    rise = (np.arange(length) - begin) / (end - begin)
    event = {"cylinder": 1.0, "bell": rise, "funnel": 1 - rise}[shape]
    event = np.where((rise >= 0) & (rise <= 1), event, 0)
    return (6 + rng.normal()) * event + rng.normal(size=length)


shapes = ["cylinder", "bell", "funnel"] * 40
collection = [series(shape) for shape in shapes]


# %%
# The cheapest way to walk through both series at once, forwards only. Numba, which is installed
# with this package, compiles the loops by the one line above them.
@njit
def warping(a, b):
    costs = np.full(len(b) + 1, np.inf)
    costs[0] = 0.0
    for x in a:
        corner, costs[0] = costs[0], np.inf
        for j, y in enumerate(b):
            best = min(corner, costs[j], costs[j + 1])
            corner, costs[j + 1] = costs[j + 1], best + abs(x - y)
    return costs[-1]


model = KMedoids(3, metric=warping, n_init=10, random_state=0).fit(collection)
print(f"adjusted Rand index: {adjusted_rand_score(shapes, model.labels_):.2f}")

# %%
# A new series, longer than all others, goes to the nearest medoid.
new = np.repeat(series("bell"), 2)
nearest = model.predict([new])[0]
print(f"{len(new)} values: a {shapes[model.medoid_indices_[nearest]]}")

# %%
# Each cluster, and in colour its medoid.
figure, axes = plt.subplots(1, 3, figsize=(10, 3), sharex=True, sharey=True, layout="constrained")
served = np.array(shapes)[model.medoid_indices_]
for slot, axis in zip(np.argsort(served), axes, strict=True):
    members = np.flatnonzero(model.labels_ == slot)
    for i in members:
        axis.plot(collection[i], color="0.8", lw=0.5)
    axis.plot(model.cluster_centers_[slot], color=f"C{slot}", lw=1.8)
    axis.set_title(f"{len(members)} series around a {served[slot]}")
    axis.set_xlabel("time")
    axis.spines[["top", "right"]].set_visible(False)
plt.show()
