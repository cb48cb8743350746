"""Spread work that adds up over any executor of `concurrent.futures`."""

from collections import deque
from itertools import islice


def map_merge(executor, partial, blocks, merge, initial=None):
    """Merge ``partial(block)`` over all blocks, in the order of the blocks.

    Parameters
    ----------
    executor : concurrent.futures.Executor or None
        Threads, processes, or a cluster (``dask.distributed``'s
        ``client.get_executor()``); None works in the caller.
    partial : callable
        Work on one block; it must be picklable if the executor needs that.
    blocks : iterable
        Consumed lazily: only a few blocks are in flight at a time, so that a
        generator may read them from disk.
    merge : callable
        ``merge(total, part)`` returns the new total.
    initial : object, optional
        The total to begin with; None begins with the first part.

    Returns
    -------
    total : object
        Independent of the executor to the last bit, since the parts are merged
        in the order of their blocks.

    Raises
    ------
    ValueError
        If there are no blocks, and nothing to begin with.
    """
    parts = map(partial, blocks) if executor is None else _in_order(executor, partial, blocks)
    total = next(parts, None) if initial is None else initial
    if total is None:
        raise ValueError("blocks is empty: there is nothing to merge")
    for part in parts:
        total = merge(total, part)
    return total


def _in_order(executor, partial, blocks, ahead=16):
    """Yield the results in order, with at most `ahead` blocks submitted beyond."""
    blocks = iter(blocks)
    waiting = deque(executor.submit(partial, block) for block in islice(blocks, ahead))
    try:
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(executor.submit(partial, block) for block in islice(blocks, 1))
    finally:
        for future in waiting:
            future.cancel()
