"""
Neighbours, without asking everybody
====================================

Two handwritten digits are alike if one lies over the other after a shift. To find that out, all
shifts have to be tried: for real models, such as one that reads a question and an answer together,
a comparison takes far longer than that. So the similarity of a query to all items is out of reach,
and that to a few has to tell which others to ask for.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from lowrank_la.decomposition import CURNeighbors

images = np.random.default_rng(0).permutation(load_digits().images)
items, earlier_queries, queries = images[:1200], images[1200:1500], images[1500:]


# %%
# The similarity: the largest cosine over nine shifts of the query, by one pixel in each direction.
# Any function of some queries and some items will do that returns a matrix of numbers, larger ones
# for what is nearer.
def unit(images):
    """Images as rows of length one."""
    rows = images.reshape(len(images), -1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def alike(queries, items):
    """The largest cosine over shifts of the queries."""
    padded = np.pad(queries, ((0, 0), (1, 1), (1, 1)))
    shifts = [padded[:, i : i + 8, j : j + 8] for i in range(3) for j in range(3)]
    return np.max([unit(shifted) @ unit(items).T for shifted in shifts], axis=0)


everything = alike(queries, items)  # what a search should do without
nearest = np.argsort(-everything, axis=1)[:, :10]


def recall(found):
    """Share of the ten nearest items that are among those found."""
    return np.mean([len(np.intersect1d(*pair)) / 10 for pair in zip(found, nearest, strict=True)])


# %%
# A budget is how many items may be compared with a query. The adaptive strategy spends it in about
# eight rounds, each of which aims at the items that are estimated to be the nearest; the fixed one
# in two. The estimates come from three hundred earlier queries, which were compared with all items.
# Beside them: as many items as the budget allows, those that are nearest by plain cosine, and the
# costly similarity for these. That is for those who have a cheap similarity which is like it.
budgets = np.array([20, 30, 40, 60, 80, 120])
recalls = {}
for strategy in ("adaptive", "fixed"):
    searches = [CURNeighbors(10, similarity=alike, budget=b, strategy=strategy) for b in budgets]
    searches = [search.fit(items, anchor_queries=earlier_queries) for search in searches]
    found = [search.kneighbors(queries, return_distance=False) for search in searches]
    recalls[strategy] = [recall(indices) for indices in found]
by_cosine = np.argsort(-unit(queries) @ unit(items).T, axis=1)
recalls["nearest by cosine"] = [recall(by_cosine[:, :b]) for b in budgets]
for name, values in recalls.items():
    print(f"{name:<18}" + " ".join(f"{value:6.3f}" for value in values))

# %%
# Left: with one item in twenty, nearly all neighbours are found. With very few evaluations the
# cheap similarity is the better guide, if there is one; but what it puts far behind it finds late.
# Right: neighbours of some queries, from 60 evaluations each. Those with a frame are not among the
# 60 items that are nearest by plain cosine.
search = CURNeighbors(10, similarity=alike, budget=60)
similarities, indices = search.fit(items, anchor_queries=earlier_queries).kneighbors(queries)
unseen = np.array([~np.isin(*pair) for pair in zip(indices, by_cosine[:, :60], strict=True)])
shown = np.argsort(-unseen.sum(axis=1), kind="stable")[:6]

styles = {
    "adaptive": dict(color="#0072b2", marker="o", label="CURNeighbors, adaptive"),
    "fixed": dict(color="#56b4e9", marker="s", label="CURNeighbors, fixed"),
    "nearest by cosine": dict(color="#d55e00", marker="^", label="nearest by plain cosine"),
}
figure = plt.figure(figsize=(10, 4.7), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1, 1.15])
axis = left.subplots()
axis.plot(budgets, budgets / len(items), ":", color="0.5", label="chance")
for name, values in recalls.items():
    axis.plot(budgets, values, ms=5, **styles[name])
axis.set(
    xlabel=f"evaluations per query, of {len(items):,}", ylabel="recall of the ten nearest",
    ylim=(0, 1.02), xlim=(0, 125), xticks=[0, *budgets],
)  # fmt: skip
axis.legend(frameon=False, loc="center right", bbox_to_anchor=(1, 0.42))
axis.spines[["top", "right"]].set_visible(False)

axes = right.subplots(6, 9)
for line, query in zip(axes, shown, strict=True):
    line[0].imshow(queries[query], cmap="Reds")
    for axis, item, value, new in zip(
        line[1:], indices[query], similarities[query], unseen[query], strict=False
    ):
        axis.imshow(items[item], cmap="gray_r")
        axis.set_title(f"{value:.2f}", fontsize=8, pad=2)
        axis.spines[:].set(visible=new, color="#0072b2", linewidth=2)
for axis in axes.flat:
    axis.set(xticks=[], yticks=[])
for axis in axes[:, 0]:
    axis.spines[:].set_visible(False)
right.suptitle("in red, a query; beside it, the most similar of the items")
plt.show()
