"""
Reading digits that were written aslant
=======================================

A classifier has learned to read upright digits, and meets some that are rotated. Of these there are
images, but no labels. Optimal transport moves the upright images onto the rotated ones, with the
labels that they have, and the classifier learns again from those.
"""

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from scipy.ndimage import rotate
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from lowrank_la.transport import SinkhornTransport

digits = load_digits()
train, test = train_test_split(np.arange(1797), test_size=400, random_state=0)
upright, aslant = np.array_split(train, 2)


def rotated(rows, angle):
    """Digits as vectors, rotated by an angle in degrees."""
    images = rotate(digits.images[rows], angle, axes=(1, 2), reshape=False, order=1)
    return images.reshape(len(rows), -1)


# %%
# Which rows of ``X`` belong to which domain is metadata: ``sample_domain`` is 1 for the source and
# -1 for the target. The pipeline hands it to the transport, and to the classifier the weights: a
# weight of zero keeps it from learning the labels of the target, which are not known; they are all
# called 0 here.
domain = np.repeat([1, -1], [len(upright), len(aslant)])
labels = np.r_[digits.target[upright], np.zeros(len(aslant), int)]


def adapted(angle):
    """Pipeline that has learned from labelled upright digits and rotated ones without labels."""
    X = np.concatenate([rotated(upright, 0), rotated(aslant, angle)])
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_pipeline(SinkhornTransport(reg=0.1), SVC().set_fit_request(sample_weight=True))
        return model.fit(X, labels, sample_domain=domain, sample_weight=(domain > 0) * 1.0)


# %%
# New digits are taken to be of the target domain: ``predict`` needs no word about domains. What
# could be hoped for at best is a classifier that is given the labels of the rotated digits.
angles = np.arange(0, 46, 5)
accuracy = {"as it is": [], "adapted, without labels": [], "taught with labels": []}
plain = SVC().fit(rotated(upright, 0), digits.target[upright])
for angle in angles:
    taught = SVC().fit(rotated(aslant, angle), digits.target[aslant])
    models = plain, adapted(angle), taught
    for scores, model in zip(accuracy.values(), models, strict=True):
        scores.append(model.score(rotated(test, angle), digits.target[test]))

print(f"{'degrees':<26}" + "".join(f"{angle:>6}" for angle in angles))
for name, scores in accuracy.items():
    print(f"{name:<26}" + "".join(f"{score:>6.0%}" for score in scores))

# %%
# Left: upright digits, and what becomes of them: averages of rotated ones. Right: the accuracy.
# Nothing but the costs tells the transport what belongs together. Where a digit is rotated so far
# that it is nearer to others than to its own kind, moving it does not help.
shown = 20
model = adapted(shown)[0]
examples = [upright[digits.target[upright] == digit][0] for digit in range(10)]
before = rotated(examples, 0)
after = model.transform(before, sample_domain=np.ones(10))

figure = plt.figure(figsize=(10, 4), layout="constrained")
images, chart = figure.subfigures(1, 2, width_ratios=[1, 1])
axes = images.subplots(4, 5)
for column in range(10):
    rows = axes[2 * (column // 5) :, column % 5]
    for axis, image in zip(rows, (before[column], after[column]), strict=False):
        axis.imshow(image.reshape(8, 8), cmap="gray_r")
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
for axis, name in zip(axes[:, 0], ("upright", "moved") * 2, strict=True):
    axis.set_ylabel(name)
images.suptitle(f"moved onto digits rotated by {shown} degrees", fontsize="medium")

axis = chart.subplots()
styles = ("o-", "C7"), ("o-", "C3"), ("--", "C7")
for (name, scores), (style, colour) in zip(accuracy.items(), styles, strict=True):
    axis.plot(angles, 100 * np.array(scores), style, color=colour, label=name, markersize=4)
axis.set(xlabel="rotation, degrees", ylabel="read correctly, %", ylim=(0, 102))
axis.legend(frameon=False, loc="lower left")
axis.spines[["top", "right"]].set_visible(False)
plt.show()
