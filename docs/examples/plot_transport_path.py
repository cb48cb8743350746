"""
From blurred plans to sharp ones
================================

Entropic regularisation spreads every mass over many places. As it becomes weaker, the plan gathers
on few arcs, and its cost falls to that of the exact optimum, which for two sets of as many points
is an assignment.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from lowrank_la.transport import solve_path

# %%
# A ring and three heaps, of 200 points each.
rng = np.random.default_rng(0)
angle = rng.uniform(0, 2 * np.pi, 200)
ring = np.c_[np.cos(angle), np.sin(angle)] * rng.normal(1, 0.05, (200, 1))
centres = np.array([[0, 0.45], [-0.4, -0.25], [0.4, -0.25]])
heaps = centres[rng.integers(3, size=200)] + 0.09 * rng.normal(size=(200, 2))
M = cdist(ring, heaps, "sqeuclidean")

# %%
# One solution for each strength, each found from the one before it.
regs = np.geomspace(3, 1e-4, 25)
results = solve_path(M, regs=regs)

# %%
# ``value`` is what was minimised, ``value_linear`` the cost of the plan. Neither is below the exact
# cost. ``duality_gap`` certifies how far a plan is from the optimum *of its regularised problem* at
# most.
exact = M[linear_sum_assignment(M)].mean()
print(f"{'reg':>8}{'value':>10}{'<P, M>':>10}{'gap':>10}{'arcs':>7}   exact: {exact:.6f}")
for result in results[::6]:
    print(
        f"{result.reg:>8.1g}{result.value:>10.6f}{result.value_linear:>10.6f}"
        f"{result.duality_gap:>10.0e}{result.sparse_plan(1e-4).nnz:>7}"
    )

# %%
# Lines as dark as the mass that goes along them.
figure = plt.figure(figsize=(10, 2.9), layout="constrained")
*clouds, chart = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.1])
for axis, result in zip(clouds, [results[i] for i in (4, 9, 24)], strict=True):
    plan = result.sparse_plan(1e-3).tocoo()
    shade = np.minimum(1, plan.data * 200)
    arcs = np.stack([ring[plan.row], heaps[plan.col]], axis=1)
    colours = np.c_[np.zeros((len(shade), 3)), shade]
    axis.add_collection(LineCollection(arcs, colors=colours, linewidths=0.7, rasterized=True))
    axis.plot(*ring.T, "o", ms=3, mec="white", mew=0.3)
    axis.plot(*heaps.T, "o", ms=3, mec="white", mew=0.3, color="C1")
    axis.set(aspect="equal", xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), title=f"reg = {result.reg:.1g}")
    axis.axis("off")
chart.axhline(exact, color="0.7", label="exact")
chart.plot(regs, [result.value for result in results], "C7.-", label="value")
chart.plot(regs, [result.value_linear for result in results], "C3.-", label="cost of the plan")
chart.set(xscale="log", xlabel="reg", xlim=(regs[0] * 1.5, regs[-1] / 1.5))
chart.legend(frameon=False)
chart.spines[["top", "right"]].set_visible(False)
plt.show()
