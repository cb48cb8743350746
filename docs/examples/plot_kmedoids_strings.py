"""
Words by edit distance
======================

Words have no mean, and no coordinates. k-medoids needs neither: a function of two words is enough.
Here are misspellings of a few words; the medoids should be what was meant.
"""

import matplotlib.pyplot as plt
import numpy as np

from lowrank_la.cluster import KMedoids, pairwise_distances

MEANT = ["receive", "definitely", "separate", "necessary", "rhythm", "weird", "calendar"]
LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))
rng = np.random.default_rng(0)


def misspell(word):
    """Replace, drop, double or swap one or two letters."""
    letters = list(word)
    for _ in range(rng.integers(1, 3)):
        at = int(rng.integers(len(letters) - 1))
        match int(rng.integers(4)):
            case 0:
                letters[at] = str(rng.choice(LETTERS))
            case 1:
                del letters[at]
            case 2:
                letters.insert(at, letters[at])
            case 3:
                letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return "".join(letters)


words = [word for meant in MEANT for word in [meant, *(misspell(meant) for _ in range(24))]]
print(", ".join(words[1:8]), "...")


# %%
# The Levenshtein distance: insertions, deletions and replacements.
def edits(a, b):
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (letter != other))
    return row[-1]


# %%
# A list of words and a function go straight into the estimator. To try several numbers of
# clusters, compute the distances once and pass them as a matrix.
distances = pairwise_distances(words, metric=edits)
losses = {
    k: KMedoids(k, metric="precomputed", n_init=20, random_state=0).fit(distances).inertia_
    for k in range(1, 17)
}

model = KMedoids(n_clusters=7, metric=edits, n_init=20, random_state=0).fit(words)
print("medoids:", ", ".join(sorted(model.cluster_centers_)))

# %%
# New words go to the nearest medoid: a spelling corrector.
for word in ["recieve", "definately", "seperate", "neccessary", "rythm", "wierd", "calender"]:
    print(f"{word:>12} -> {model.cluster_centers_[model.predict([word])[0]]}")

# %%
# Left: the loss bends at seven medoids. Right: the distances, sorted by cluster.
order = np.argsort(model.labels_, kind="stable")
sizes = np.bincount(model.labels_)
middles = np.cumsum(sizes) - sizes / 2
figure, (bend, blocks) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
bend.plot(list(losses), list(losses.values()), "o-")
bend.axvline(7, color="0.8", zorder=0)
bend.set(xlabel="medoids", ylabel="loss: edits in all", xticks=range(0, 17, 4), ylim=0)
image = blocks.imshow(distances[np.ix_(order, order)], cmap="viridis")
blocks.set(xticks=[], yticks=middles, yticklabels=model.cluster_centers_)
figure.colorbar(image, label="edits", shrink=0.8)
plt.show()
