"""
Communities of handwritten digits
=================================

A graph says who is next to whom, and nothing else: here, each image of a digit names the eight that
look most like it. FastRP turns the graph into rows of numbers, and a classifier learns from some of
the labels what the others are.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import ShuffleSplit, cross_val_score
from sklearn.neighbors import kneighbors_graph
from sklearn.pipeline import make_pipeline

from lowrank_la.embedding import FastRP

X, y = load_digits(return_X_y=True)
A = kneighbors_graph(X, 8)
A = A.maximum(A.T)  # neighbours of each other
print(f"{A.shape[0]} nodes, {A.nnz} entries")

# %%
# Embed the whole graph once, without labels. The plain mode averages random rows over neighbours;
# the refined mode puts rows near the leading eigenvectors in their place.
models = {
    "plain": FastRP(32, weights=(0, 0, 1, 1), random_state=0),
    "refined": FastRP(32, weights=(1, 1), refine=4, random_state=0),
}
embeddings = {name: model.fit_transform(A) for name, model in models.items()}

# %%
# How many labels does it take? A share of them trains a classifier on the embeddings; those of all
# other nodes are predicted.
shares = [0.01, 0.02, 0.05, 0.1, 0.2]
curves = {
    name: [
        cross_val_score(
            LogisticRegression(C=100, max_iter=2000),
            E,
            y,
            cv=ShuffleSplit(5, train_size=share, random_state=0),
        ).mean()
        for share in shares
    ]
    for name, E in embeddings.items()
}

# %%
# New nodes: in a pipeline the graph itself is split, as a kernel matrix would be. Test nodes
# are embedded from their edges to the training nodes alone.
pipe = make_pipeline(models["plain"], LogisticRegression(C=100, max_iter=2000))
inductive = cross_val_score(pipe, A, y, cv=ShuffleSplit(3, train_size=0.5, random_state=0)).mean()
print(f"nodes that were not in the graph: {inductive:.1%} are told right")

# %%
# The refined embedding, laid out in the plane, and what the labels are worth.
layout = TSNE(init="pca", random_state=0).fit_transform(embeddings["refined"])
figure, (plane, curve) = plt.subplots(
    1, 2, figsize=(10, 4.6), width_ratios=(1.2, 1), layout="constrained"
)
points = plane.scatter(*layout.T, c=y, s=5, cmap="tab10", vmin=-0.5, vmax=9.5)
figure.colorbar(points, ax=plane, ticks=range(10), label="digit")
plane.set(xticks=[], yticks=[], title="1797 nodes, by their neighbours alone")
for name, scores in curves.items():
    curve.semilogx(shares, scores, "o-", label=name)
curve.set(
    xlabel="share of nodes with a label", ylabel="others told right", xticks=shares,
    xticklabels=[f"{share:.0%}" for share in shares],
)  # fmt: skip
curve.minorticks_off()
curve.legend()
curve.spines[["top", "right"]].set_visible(False)
plt.show()
