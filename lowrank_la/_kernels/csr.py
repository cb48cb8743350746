"""Sums of the rows that a row of a sparse matrix names, many columns at a time.

Such sums wait for memory: the rows lie anywhere. What is asked for ahead of
its use, and into the second level of the cache (the first can wait for few
lines at once), arrives in half of the time. Numba has no word for that, nor
for vectors that stay in registers over a loop of unknown length, hence the
LLVM code; its definition is the scalar loop below, which runs when the JIT is off.
"""

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .._support.jit import kernel

WIDE, NARROW = 128, 32  # columns to a vector; rows are padded to whole narrow ones
_AHEAD_BYTES, _AHEAD_ROWS = 16384, 32  # asked for before they are needed: at most
_LINE = 64  # bytes
_MOST_TERMS = np.uint64(512)  # summed in the precision of the data; the sums, in float64
_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_TO_L2 = 2  # LLVM's degree of locality


def _data(context, builder, array_type, array):
    return context.make_array(array_type)(context, builder, array).data


def _index(builder, indices, kind, position):
    """Entry of an array of indices, as 64 bits."""
    value = builder.load(builder.gep(indices, [position]))
    return builder.zext(value, _I64) if kind.bitwidth < 64 else value


def _prefetch(builder, pointer, n_bytes):
    """Ask for all cache lines of a row."""
    byte = _I8.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, _I32, _I32, _I32])
    known = builder.module.globals.get("llvm.prefetch.p0")
    function = known or ir.Function(builder.module, kind, "llvm.prefetch.p0")
    begin = builder.bitcast(pointer, byte)
    for offset in range(0, n_bytes, _LINE):
        line = builder.gep(begin, [_I64(offset)])
        builder.call(function, [line, _I32(0), _I32(_TO_L2), _I32(1)])


def splat(builder, value, width):
    """Vector of equal lanes."""
    kind = ir.VectorType(value.type, width)
    single = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _I32(0))
    lanes = ir.Constant(ir.VectorType(_I32, width), [0] * width)
    return builder.shuffle_vector(single, ir.Constant(kind, ir.Undefined), lanes)


def _as_float(builder, value, dtype, wanted):
    """Convert a scalar of one of Numba's float types to an LLVM type."""
    if value.type == wanted:
        return value
    return (builder.fptrunc if dtype.bitwidth == 64 else builder.fpext)(value, wanted)


def _factor(builder, kinds, pointers, entry, j, wanted):
    """Weight of an entry, times the unit of the row that it names; None for one."""
    factor = None
    for name, position in (("weights", entry), ("units", j)):
        if name in pointers:
            value = builder.load(builder.gep(pointers[name], [position]))
            value = _as_float(builder, value, kinds[name].dtype, wanted)
            factor = value if factor is None else builder.fmul(factor, value)
    return factor


def _term(builder, kinds, pointers, entry, j, vector):
    """One row, times its factor."""
    stored = ir.VectorType(pointers["rows"].type.pointee, vector.count)
    begin = builder.gep(pointers["rows"], [builder.mul(j, pointers["stride"])])
    value = builder.load(builder.bitcast(begin, stored.as_pointer()))
    value.align = kinds["rows"].dtype.bitwidth // 8
    if isinstance(kinds["rows"].dtype, types.Integer):
        value = builder.sitofp(value, vector)
    factor = _factor(builder, kinds, pointers, entry, j, vector.element)
    return value if factor is None else builder.fmul(value, splat(builder, factor, vector.count))


_NAMES = ("rows", "units", "indices", "weights", "start", "stop", "first", "out")


def _pointers(context, builder, kinds, values, weighted):
    """Where the arrays lie that take part; rows and sums from the first of the columns on."""
    used = ["rows", "indices", "out"] + ["weights"] * weighted
    used += ["units"] * isinstance(kinds["rows"].dtype, types.Integer)
    pointers = {name: _data(context, builder, kinds[name], values[name]) for name in used}
    shape = context.make_array(kinds["rows"])(context, builder, values["rows"]).shape
    pointers["stride"] = builder.extract_value(shape, 1)
    for name in ("rows", "out"):
        pointers[name] = builder.gep(pointers[name], [values["first"]])
    return pointers


def _body(context, builder, kinds, values, pointers, entry, vector):
    """Ask for a later row, and return the term of this entry."""
    n_bytes = vector.count * kinds["rows"].dtype.bitwidth // 8
    length = context.make_array(kinds["indices"])(context, builder, values["indices"]).nitems
    later = builder.add(entry, _I64(min(_AHEAD_ROWS, _AHEAD_BYTES // n_bytes)))
    later = builder.select(builder.icmp_unsigned("<", later, length), later, entry)
    j, upcoming = (
        _index(builder, pointers["indices"], kinds["indices"].dtype, at) for at in (entry, later)
    )
    begin = builder.mul(upcoming, pointers["stride"])
    _prefetch(builder, builder.gep(pointers["rows"], [begin]), n_bytes)
    return _term(builder, kinds, pointers, entry, j, vector)


def _vector_sum(width, weighted):
    """Return an intrinsic that sums so many columns of rows."""

    def generate(context, builder, signature, args):
        kinds, values = (dict(zip(_NAMES, of, strict=True)) for of in (signature.args, args))
        pointers = _pointers(context, builder, kinds, values, weighted)
        vector = ir.VectorType(pointers["out"].type.pointee, width)
        before = builder.block
        head, body, after = (builder.append_basic_block(name) for name in ("head", "body", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        entry, total = builder.phi(_I64), builder.phi(vector)
        builder.cbranch(builder.icmp_unsigned("<", entry, values["stop"]), body, after)

        builder.position_at_end(body)
        term = _body(context, builder, kinds, values, pointers, entry, vector)
        entry.add_incoming(values["start"], before)
        entry.add_incoming(builder.add(entry, _I64(1)), body)
        total.add_incoming(ir.Constant(vector, None), before)
        total.add_incoming(builder.fadd(total, term), body)
        builder.branch(head)

        builder.position_at_end(after)
        stored = builder.store(total, builder.bitcast(pointers["out"], vector.as_pointer()))
        stored.align = kinds["out"].dtype.bitwidth // 8
        return context.get_dummy_value()

    @intrinsic
    def sum_columns(typing_context, rows, units, indices, weights, start, stop, first, out):
        positions = (types.uint64,) * 3
        return types.void(rows, units, indices, weights, *positions, out), generate

    return sum_columns


def _scalar_sum(width, weighted):
    """Define what the vector code does."""

    def sum_columns(rows, units, indices, weights, start, stop, first, out):
        scaled = rows.dtype == np.int8
        for c in range(first, first + np.uint64(width)):
            out[c] = 0
            for entry in range(start, stop):
                j = indices[entry]
                term = out.dtype.type(rows[j, c])
                term *= out.dtype.type(weights[entry]) if weighted else 1
                out[c] += term * units[j] if scaled else term

    return sum_columns


_compiler = _scalar_sum if numba.config.DISABLE_JIT else _vector_sum
_wide, _wide_weighted = _compiler(WIDE, False), _compiler(WIDE, True)
_narrow, _narrow_weighted = _compiler(NARROW, False), _compiler(NARROW, True)


@kernel
def _sum_some(rows, units, indices, weights, start, stop, out):
    # (n, d) (n or 0,) (m,) (m or 0,) in; (d,) out
    first, d = np.uint64(0), np.uint64(rows.shape[1])
    while first < d:
        if first + np.uint64(WIDE) <= d:
            if len(weights):
                _wide_weighted(rows, units, indices, weights, start, stop, first, out)
            else:
                _wide(rows, units, indices, weights, start, stop, first, out)
            first += np.uint64(WIDE)
        else:
            if len(weights):
                _narrow_weighted(rows, units, indices, weights, start, stop, first, out)
            else:
                _narrow(rows, units, indices, weights, start, stop, first, out)
            first += np.uint64(NARROW)


@kernel
def sum_rows(rows, units, indices, weights, start, stop, out, totals):
    """Sum ``weights[e] * rows[indices[e]]`` over the entries ``start <= e < stop``.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        float32 or float64, or int8, in units; d is a multiple of `NARROW`.
    units : ndarray of shape (n,) or (0,)
        What row j is to be multiplied by, if the rows are int8; empty otherwise.
    indices : ndarray of shape (m,)
    weights : ndarray of shape (m,) or (0,)
        Empty for ones.
    start, stop : uint64
    out : ndarray of shape (d,)
        The sum; float32 or float64.
    totals : ndarray of shape (d,), float64
        Scratch.
    """
    if stop - start <= _MOST_TERMS:
        _sum_some(rows, units, indices, weights, start, stop, out)
        return
    d = np.uint64(len(out))
    for c in range(d):
        totals[c] = 0.0
    while start < stop:
        end = min(start + _MOST_TERMS, stop)
        _sum_some(rows, units, indices, weights, start, end, out)
        for c in range(d):
            totals[c] += np.float64(out[c])
        start = end
    for c in range(d):
        out[c] = totals[c]
