"""Words of memory that several threads read and write while they run.

Kernels that only share arrays between calls need none of this. Loads and
stores here are sequentially consistent: what was written before a store is
seen by whoever loads it, on every processor.
"""

import numba
from numba import types
from numba.extending import intrinsic

_ORDER = "seq_cst"


def _pointer(context, builder, array_type, array, index):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


@intrinsic
def _load_int64(typing_context, words, index):
    signature = types.int64(words, types.int64)

    def generate(context, builder, signature, args):
        pointer = _pointer(context, builder, signature.args[0], *args)
        return builder.load_atomic(pointer, _ORDER, 8)

    return signature, generate


@intrinsic
def _store_int64(typing_context, words, index, value):
    signature = types.void(words, types.int64, types.int64)

    def generate(context, builder, signature, args):
        pointer = _pointer(context, builder, signature.args[0], *args[:2])
        builder.store_atomic(args[2], pointer, _ORDER, 8)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _add_int64(typing_context, words, index, value):
    signature = types.int64(words, types.int64, types.int64)

    def generate(context, builder, signature, args):
        pointer = _pointer(context, builder, signature.args[0], *args[:2])
        return builder.atomic_rmw("add", pointer, args[2], _ORDER)

    return signature, generate


def _interpreted_add(words, index, value):
    words[index] += value
    return words[index] - value


# For kernels only.
# load(words, index), store(words, index, value): words is an int64 array.
# add(words, index, value): adds at one stroke and returns what was there before.
if numba.config.DISABLE_JIT:
    load, store, add = (lambda w, i: w[i]), (lambda w, i, v: w.__setitem__(i, v)), _interpreted_add
else:
    load, store, add = _load_int64, _store_int64, _add_int64
