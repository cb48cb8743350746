"""Loops of the matrix-free search on the CPU; `_matrix_free_cuda` holds their twins.

Objects lie in blocks of 64 that are close together, feature by feature, so that
the 64 distances from a block are one vectorised loop, and a block whose box is
far away needs no distance at all. Arrays by object have the shape (blocks, 64).
The places after the last object hold copies of it, without weight, that belong
to no medoid (-1) and that nothing is near enough to serve (``bound`` 0).

A candidate is a box of no extent. The distance to a box is at most that to any
point in it, in rounded arithmetic as in exact: rounding is monotone, as long as
both are computed by the same operations in the same order, none of them fused.
That is why the kernels are strict. What would not gain if it came at once as
near to every object as its box, none of the objects in the box will.
"""

import numpy as np

from .._kernels.lanes import WIDTH, below, equal, lowest
from .._support.blocks import aligned, frozen
from .._support.jit import kernel
from ._cpu import LEAST_GAIN

xp = np
to_host = np.asarray
empty = aligned

EUCLIDEAN, SQUARED, CITYBLOCK, CHEBYSHEV = range(4)
_RUNS = (WIDTH, 8, 1)  # objects that are tried as one box, before their parts are
_DEEPEST = len(_RUNS) - 1
_FEW = 6  # objects that are faster accounted for one by one than with their whole block
_START = np.uint64(0)
_STOP = np.uint64(WIDTH)


def to_device(array):
    """Read-only copy that begins with a cache line."""
    copy = empty(array.shape, array.dtype)
    copy[...] = array
    return frozen(copy)


def add_feature(total, gap, metric):
    """Distance (its square, if Euclidean) with one more feature taken into account."""
    if metric <= SQUARED:
        return total + gap * gap
    if metric == CITYBLOCK:
        return total + gap
    return gap if gap > total else total


_add_feature = kernel(add_feature, strict=True, forceinline=True)


@kernel(strict=True, forceinline=True)
def _gap(x, least, most, zero):
    """Distance from a coordinate to an interval."""
    under, over = least - x, x - most
    gap = under if under > over else over
    return gap if gap > zero else zero


@kernel(strict=True)
def _squares(block, low, high, out):
    """Squared Euclidean distances from the objects of a block to a box."""
    # Two features at a time: what is kept in `out` meanwhile is stored and loaded half as often.
    d, f, zero, one = len(low), len(low) & 1, low[0] - low[0], np.uint64(1)
    f = np.uint64(f)
    for o in range(WIDTH):
        gap = _gap(block[0, o], low[0], high[0], zero)
        out[o] = gap * gap if f else zero
    while f < d:
        x, x_least, x_most = block[f], low[f], high[f]
        y, y_least, y_most = block[f + one], low[f + one], high[f + one]
        for o in range(WIDTH):
            gap, other = _gap(x[o], x_least, x_most, zero), _gap(y[o], y_least, y_most, zero)
            out[o] = out[o] + gap * gap + other * other
        f += np.uint64(2)


@kernel(strict=True)
def _distances(block, low, high, metric, out):
    """Distances (squares, if Euclidean) from the objects of a block to a box."""
    # (d, 64) (d,) (d,) in; (64,) out. A loop for each metric: each is vectorised.
    if metric <= SQUARED:
        _squares(block, low, high, out)
        return
    zero = low[0] - low[0]
    for o in range(WIDTH):
        out[o] = zero
    for f in range(len(low)):
        x, least, most = block[f], low[f], high[f]
        if metric == CITYBLOCK:
            for o in range(WIDTH):
                out[o] += _gap(x[o], least, most, zero)
        else:
            for o in range(WIDTH):
                gap = _gap(x[o], least, most, zero)
                out[o] = gap if gap > out[o] else out[o]


@kernel(strict=True)
def _reach(lows, highs, low, high, metric, out):
    """Distances (squares, if Euclidean) between the boxes of all blocks and one box."""
    # (d, B) (d, B) (d,) (d,) in; (B,) out
    zero = low[0] - low[0]
    for b in range(len(out)):
        out[b] = zero
    for f in range(len(low)):
        lower, upper, least, most = lows[f], highs[f], low[f], high[f]
        for b in range(len(out)):
            under, over = least - upper[b], lower[b] - most
            gap = under if under > over else over
            out[b] = _add_feature(out[b], gap if gap > zero else zero, metric)


@kernel(strict=True)
def _listed(reach, largest, listed):
    """List the blocks that a box may take objects from; return their number."""
    count = 0
    for b in range(len(reach)):
        listed[count] = b
        count += reach[b] < largest[b]
    return count


@kernel
def _bound_by(block, start, stop, box):
    """Make a box of the objects [start, stop) of a block."""
    # (d, 64) in; (2, d) out
    for f in range(len(block)):
        least = most = block[f, start]
        for o in range(start + 1, stop):
            x = block[f, o]
            least = x if x < least else least
            most = x if x > most else most
        box[0, f], box[1, f] = least, most


@kernel(forceinline=True)
def _is_few(mask):
    for _ in range(_FEW):
        mask &= mask - np.uint64(1)  # the lowest bit goes
    return mask == 0


@kernel(strict=True)
def _tally_few(mask, costs, near, second, nearest, weights, change, gain, smallest):
    """Account for the objects in `mask` that a candidate would serve, one by one.

    Slot i of `change` takes the change of the loss if medoid i makes way, apart
    from what no choice of i alters: that is added to `gain`. `smallest` is the
    least of `change`.
    """
    while mask:
        o = lowest(mask)
        mask &= mask - np.uint64(1)
        cost, served, slot = costs[o], near[o], np.uint64(nearest[o])
        nearer = cost if cost < served else served
        farther = served if cost < served else cost
        gain += weights[o] * (np.float64(nearer) - np.float64(served))
        value = change[slot] + weights[o] * (np.float64(farther) - np.float64(second[o]))
        change[slot] = value
        smallest = value if value < smallest else smallest
    return gain, smallest


@kernel
def _tally(mask, costs, near, second, nearest, weights, change, gain, smallest, own):
    """Do the same for a whole block, medoid by medoid: few of them own objects there."""
    for o in range(WIDTH):
        cost, served = costs[o], near[o]
        nearer = cost if cost < served else served
        farther = served if cost < served else cost
        gain += weights[o] * (np.float64(nearer) - np.float64(served))
        lost = np.float64(farther) - np.float64(second[o])
        own[o] = weights[o] * (lost if lost < 0.0 else 0.0)
    while mask:
        slot, total = nearest[lowest(mask)], 0.0
        for o in range(WIDTH):
            total += own[o] if nearest[o] == slot else 0.0
        value = change[np.uint64(slot)] + total
        change[np.uint64(slot)] = value
        smallest = value if value < smallest else smallest
        mask &= ~equal(nearest, slot, _START, _STOP)
    return gain, smallest


@kernel(strict=True)
def _take_roots(squares):
    for o in range(WIDTH):
        squares[o] = np.sqrt(squares[o])


@kernel(strict=True)
def _try(box, listed, hit, metric, coords, state, removal, scratch):
    """Change of the loss, at the least, if a box becomes a medoid.

    Parameters
    ----------
    box : ndarray of shape (2, d)
    listed : ndarray of int64
        Blocks to look at.
    hit : ndarray of int64
        Takes those of them of which an object would be served, or be nearer to
        a second medoid: all that matter to what is in the box.

    Returns
    -------
    delta : float
    slot : int
        Of the medoid that makes way.
    n_hit : int
    """
    near, second, bound, nearest, weights = state
    change, own, costs = scratch
    low, high = box[0], box[1]
    gain, smallest, n_hit = 0.0, np.inf, 0
    for i in range(len(removal)):
        change[i] = removal[i]
        smallest = removal[i] if removal[i] < smallest else smallest
    for entry in range(len(listed)):
        b = np.uint64(listed[entry])
        _distances(coords[b], low, high, metric, costs)
        mask = below(costs, bound[b], _START, _STOP)
        if not mask:
            continue
        hit[n_hit] = b
        n_hit += 1
        if metric == EUCLIDEAN:
            _take_roots(costs)
        args = mask, costs, near[b], second[b], nearest[b], weights[b], change, gain, smallest
        gain, smallest = _tally_few(*args) if _is_few(mask) else _tally(*args, own)
    slot = 0
    while change[slot] > smallest:
        slot += 1
    return gain + smallest, slot, n_hit


@kernel(strict=True)
def _next_improving(
    position, stop, lo, in_vain, loss, order, n, metric, space, state, largest, removal, work, room
):  # fmt: skip
    """Find the next candidate that improves the loss.

    Returns
    -------
    position, o, slot, in_vain : int
        Its block's place in the order, its own in the block, and the slot that
        it takes. Without one, `o` is -1 and `position` is where the search stands.
    """
    coords, lows, highs = space
    near, weights = state[0], state[4]
    lists, counts, box, reach, scratch = room
    while position < stop and in_vain < n:
        b, level = order[position], 0
        hi = n - b * WIDTH if n - b * WIDTH < WIDTH else WIDTH
        while lo < hi:
            end = (lo // _RUNS[level] + 1) * _RUNS[level]
            end = end if end < hi else hi
            if level < _DEEPEST or (weights[b, lo] > 0.0 and near[b, lo] > 0):
                _bound_by(coords[b], lo, end, box)
                if level == 0:
                    _reach(lows, highs, box[0], box[1], metric, reach)
                    counts[0] = _listed(reach, largest, lists[0])
                listed, below_it = lists[level, : counts[level]], lists[level + 1]
                delta, slot, n_hit = _try(
                    box, listed, below_it, metric, coords, state, removal, scratch
                )
                work[0] += WIDTH * counts[level]
                if not delta >= 0.0 and level < _DEEPEST:
                    level += 1
                    counts[level] = n_hit
                    continue
                if not delta >= -LEAST_GAIN * (loss + removal[slot]):
                    return position, lo, slot, in_vain
            in_vain, lo = in_vain + end - lo, end
            while level > 1 and lo % _RUNS[level - 1] == 0:
                level -= 1
        position, lo = position + 1, 0
    return position, -1, -1, in_vain


@kernel(strict=True)
def _two_nearest(block, o, centres, metric, costs):
    """Slots of the nearest and second nearest medoid of an object, and the distances."""
    # (d, 64) (d, k) in; (k,) scratch
    k, zero = np.uint64(len(costs)), block[0, o] - block[0, o]
    for i in range(k):
        costs[i] = zero
    for f in range(len(block)):
        x, centre = block[f, o], centres[f]
        for i in range(k):
            costs[i] = _add_feature(costs[i], abs(x - centre[i]), metric)
    first, other = np.uint64(0), np.uint64(1)
    if costs[other] < costs[first]:
        first, other = other, first
    served, spare = costs[first], costs[other]
    for i in range(np.uint64(2), k):
        cost = costs[i]
        if cost < spare:
            if cost < served:
                first, other, served, spare = i, first, cost, served
            else:
                other, spare = i, cost
    if metric == EUCLIDEAN:
        served, spare = np.sqrt(served), np.sqrt(spare)
    return first, other, served, spare


@kernel(strict=True)
def _keep(b, o, first, other, served, spare, metric, state, runner_up):
    """Write the state of one object."""
    near, second, bound, nearest, _ = state
    near[b, o], second[b, o], nearest[b, o], runner_up[b, o] = served, spare, first, other
    # The root of a rounded square is the number itself: squares compare as roots do.
    bound[b, o] = spare * spare if metric == EUCLIDEAN else spare


@kernel(strict=True)
def _largest(bound):
    most = bound[0]
    for o in range(WIDTH):
        most = bound[o] if bound[o] > most else most
    return most


@kernel(strict=True)
def _assign(n, metric, coords, centres, state, runner_up, largest, costs):
    for b in range(len(coords)):
        for o in range(min(WIDTH, n - b * WIDTH)):
            first, other, served, spare = _two_nearest(coords[b], o, centres, metric, costs)
            _keep(b, o, first, other, served, spare, metric, state, runner_up)
        largest[b] = _largest(state[2][b])


def assign(n, metric, coords, centres, state, runner_up, largest):
    """Fill the state of all objects and blocks from scratch.

    Parameters
    ----------
    n : int
        Number of objects, without the copies at the end.
    metric : int
    coords : ndarray of shape (B, d, 64)
    centres : ndarray of shape (d, k)
        Coordinates of the medoids.
    state : tuple of ndarrays of shape (B, 64)
        ``near``, ``second``: distances to the nearest and the second nearest
        medoid; ``bound``: the distances that are of interest are below (the
        square of ``second``, if Euclidean); ``nearest``: slot; and the weights.
    runner_up : ndarray of shape (B, 64), int32
        Slot of the second nearest medoid.
    largest : ndarray of shape (B,)
        Largest ``bound`` of each block.
    """
    for array, nothing in zip((*state[:4], runner_up), (0, 0, 0, -1, -1), strict=True):
        array[-1] = nothing
    costs = np.empty(centres.shape[1], coords.dtype)
    _assign(n, metric, coords, centres, state, runner_up, largest, costs)


def removal_loss(n, state, fixed, removal):
    """Loss that the removal of each medoid would cause; infinite for the fixed ones."""
    near, second, _, nearest, weights = state
    extra = weights * (second.astype(np.float64) - near)
    removal[:] = np.bincount(np.maximum(nearest, 0).ravel(), extra.ravel(), len(removal))
    removal[fixed] = np.inf


@kernel(strict=True)
def _hand_over(b, mask, newcomer, slot, metric, coords, centres, state, runner_up, removal, costs,
               ranked):  # fmt: skip
    """Let the objects in `mask` know of the new medoid in a slot; it is one of them, or none."""
    near, second, _, nearest, weights = state
    change, out, block = 0.0, np.uint64(slot), coords[b]
    while mask:
        o = lowest(mask)
        mask &= mask - np.uint64(1)
        first, other = np.uint64(nearest[b, o]), np.uint64(runner_up[b, o])
        cost, served, spare, weight = costs[o], near[b, o], second[b, o], weights[b, o]
        removal[first] -= weight * (np.float64(spare) - np.float64(served))
        change -= weight * np.float64(served)
        if first == out:
            first, served = other, spare
        if cost < served or (cost == served and o == newcomer):
            other, spare = first, served
            first, served = out, cost
        elif cost < spare:  # so is the new medoid the second nearest
            other, spare = out, cost
        else:
            first, other, served, spare = _two_nearest(block, o, centres, metric, ranked)
        _keep(b, o, first, other, served, spare, metric, state, runner_up)
        removal[first] += weight * (np.float64(spare) - np.float64(served))
        change += weight * np.float64(served)
    return change


@kernel(strict=True)
def _swap(b, o, slot, metric, space, centres, state, runner_up, largest, removal, room, ranked):
    """Put an object in the place of a medoid; return the change of the loss."""
    coords, lows, highs = space
    bound, nearest = state[2], state[3]
    box, reach, costs = room[2], room[3], room[4][2]
    _bound_by(coords[b], o, o + 1, box)
    _reach(lows, highs, box[0], box[1], metric, reach)
    for f in range(len(centres)):
        centres[f, slot] = box[0, f]
    key, change = np.int32(slot), 0.0
    for c in range(len(coords)):
        mask = equal(nearest[c], key, _START, _STOP) | equal(runner_up[c], key, _START, _STOP)
        if mask or reach[c] < largest[c]:
            _distances(coords[c], box[0], box[1], metric, costs)
            mask |= below(costs, bound[c], _START, _STOP)
            if metric == EUCLIDEAN:
                _take_roots(costs)
            newcomer = np.uint64(o) if c == b else _STOP
            change += _hand_over(
                c, mask, newcomer, slot, metric, coords, centres, state, runner_up, removal, costs,
                ranked,
            )  # fmt: skip
            largest[c] = _largest(bound[c])
    return change


def eager_swaps(
    start, stop, in_vain, loss, order, n, metric, space, medoids, centres, state, runner_up,
    largest, removal, fixed, work,
):  # fmt: skip
    """Try the objects of some blocks in turn, swapping whenever one improves the loss.

    Parameters
    ----------
    start, stop : int
        Places in `order` of the blocks to try.
    in_vain : int
        Candidates tried since the last swap; with all of them the search is over.
    loss : float
    order : ndarray of int64
        Blocks in the order in which they are tried.
    space : tuple of ndarrays
        ``coords`` (B, d, 64), and the least and largest coordinates of each
        block, (d, B).
    medoids : ndarray of shape (k,), int64
        Places of the medoids: 64 times the block, and the lane.
    work : ndarray of shape (1,), int64
        Distances computed are added here.

    Returns
    -------
    position, in_vain, n_swap, loss : int, int, int, float
        Where the search stands.
    """
    B, d, _ = space[0].shape
    k, dtype, n_swap, lo = len(removal), space[0].dtype, 0, 0
    scratch = np.empty(k), empty((WIDTH,), np.float64), empty((WIDTH,), dtype)
    lists, counts = np.empty((len(_RUNS) + 1, B), np.int64), np.zeros(len(_RUNS), np.int64)
    room = lists, counts, np.empty((2, d), dtype), np.empty(B, dtype), scratch
    while True:
        start, o, slot, in_vain = _next_improving(
            start, stop, lo, in_vain, loss, order, n, metric, space, state, largest, removal, work,
            room,
        )  # fmt: skip
        if o < 0:
            return start, in_vain, n_swap, loss
        b = order[start]
        loss += _swap(
            b,
            o,
            slot,
            metric,
            space,
            centres,
            state,
            runner_up,
            largest,
            removal,
            room,
            np.empty(k, dtype),
        )
        medoids[slot] = b * WIDTH + o
        n_swap, in_vain, lo = n_swap + 1, 1, o + 1
