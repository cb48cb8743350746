"""
Depots for a hundred thousand customers
=======================================

Forty sites among the customers' own, three of which are given: they exist already. Then what the
quick methods lose against the exact search, and what they save.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

from lowrank_la.cluster import CLARA, KMedoids, OneBatchKMedoids

# %%
# Towns of very different sizes, and a few people between them.
rng = np.random.default_rng(3)
towns = rng.uniform(0, (300, 200), (150, 2))
people = rng.pareto(1.2, 150) + 0.2
home = rng.choice(150, 95_000, p=people / people.sum())
spread = 1.2 * np.sqrt(people[home])[:, None]
town = towns[home] + spread * rng.normal(size=(95_000, 2))
customers = np.concatenate([town, rng.uniform(0, (300, 200), (5_000, 2))]).astype(np.float32)

# %%
# Fixed medoids stay where they are, and the others are chosen in view of them. In two dimensions
# the exact search needs no matrix; the distance along streets of a grid is ``"cityblock"``.
corners = [[20, 20], [150, 190], [280, 20]]
existing = [int(abs(customers - corner).sum(axis=1).argmin()) for corner in corners]
options = {"metric": "cityblock", "fixed_medoids": existing, "random_state": 0}
model = KMedoids(40, method="matrix_free", **options).fit(customers)
print(f"{model.inertia_ / len(customers):.2f} km to the nearest depot")

# %%
# The same number of depots, all of them free, by three methods. ``OneBatchKMedoids`` takes every
# customer into account as a site, but judges them by a random batch; ``CLARA`` looks for sites in
# samples, of which its default is small. A larger batch or sample is better and slower.
contestants = {
    "KMedoids, matrix-free": [KMedoids(40, method="matrix_free")],
    "OneBatchKMedoids": [OneBatchKMedoids(40, batch_size=m) for m in (400, 800, 1600)],
    "CLARA": [CLARA(40, n_sampling=m) for m in (240, 500, 1000, 2000, 4000)],
}
found = {}
for name, models in contestants.items():
    for contestant in models:
        contestant.set_params(metric="cityblock").fit(customers[:5000])  # compiles, if need be
        runs = []
        for seed in range(2):
            start = time.perf_counter()
            contestant.set_params(random_state=seed).fit(customers)
            runs.append((time.perf_counter() - start, contestant.inertia_))
        found.setdefault(name, []).append(np.mean(runs, axis=0))

# %%
# Left: the customers, each in the colour of its depot, and the depots; squares existed before.
# Right: means over two seeds. The times are those of the machine that drew this page.
figure, (plan, chart) = plt.subplots(
    1, 2, figsize=(10, 3.6), width_ratios=[1.4, 1], layout="constrained"
)
colours = rng.permutation(40)[model.labels_]
plan.scatter(*customers.T, c=colours, s=0.3, cmap="tab20", linewidths=0, rasterized=True)
new, old = model.cluster_centers_[3:].T, model.cluster_centers_[:3].T
style = {"mec": "black", "ls": "none"}
plan.plot(*new, "o", ms=5, mfc="white", **style, label="new depots")
plan.plot(*old, "s", ms=8, mfc="yellow", **style, label="existing ones")
plan.set(aspect="equal", xlim=(0, 300), ylim=(0, 200), xticks=[], yticks=[])
plan.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2, frameon=False)

least = min(loss for runs in found.values() for _, loss in runs)
for (name, runs), marker in zip(found.items(), "os^", strict=True):
    seconds, losses = np.transpose(runs)
    chart.plot(seconds, 100 * (losses / least - 1), marker + "-", label=name)
chart.set(xscale="log", xlabel="seconds", ylabel="loss above the least found, %")
chart.xaxis.set_major_formatter("{x:g}")
chart.legend()
chart.spines[["top", "right"]].set_visible(False)
plt.show()
