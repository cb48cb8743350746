"""Functions of masses: a right answer, or an error that names the argument; input untouched."""

import inspect
import pickle
import re

import numpy as np
import pytest
from scipy import sparse

from tests.common.api import functions_of_masses
from tests.common.test_bad_input import BAD, DATA, assert_named, name_of, names, refused
from tests.layouts import dense_forms

RNG = np.random.default_rng(0)
VALID = {
    "X": RNG.integers(-9, 9, (12, 4)).astype(np.float64),
    "Y": RNG.integers(-9, 9, (9, 4)).astype(np.float64),
    "M": RNG.integers(0, 99, (12, 9)).astype(np.float64),
    "P": RNG.integers(0, 9, (12, 9)) / 500,
    "a": np.full(12, 1 / 12),
    "b": np.full(9, 1 / 9),
    "reg": 10.0,
    "regs": [20.0, 10.0],
}
FUNCTIONS = functions_of_masses()
DATA_OF = [
    pytest.param(function, name, id=f"{function.__name__}-{name}")
    for function in FUNCTIONS
    for name in ("X", "Y", "M", "P")
    if name in names(function)
]
IS_TRUE_OR_NOT = ("verbose", "log", "warn")  # by Python's rules, as in POT


def call(function, **changed):
    given = {name: VALID[name] for name in names(function) if name in VALID}
    return function(**given | changed)


def numbers(answer):
    """All that a function has found, in one vector."""
    if isinstance(answer, list):
        return np.concatenate([numbers(part) for part in answer])
    return np.ravel(getattr(answer, "plan", answer))


@pytest.mark.parametrize("bad", [*BAD, "sparse", "text", "dates"])
@pytest.mark.parametrize(("function", "name"), DATA_OF)
def test_data_are_refused(function, name, bad):
    if (name, bad) == ("M", "infinite"):  # an arc that is forbidden
        assert np.isfinite(numbers(call(function, M=BAD[bad](VALID["M"])))).all()
        return
    cases = BAD | {
        "sparse": sparse.csr_array,
        "text": lambda a: a.astype(str),
        "dates": lambda a: a.astype("datetime64[s]"),
    }
    known = DATA if name in "XY" else ()
    refused(lambda data: call(function, **{name: data}), cases[bad](VALID[name]), name, *known)


BAD_MASSES = {
    "too few": lambda x: x[:-1],
    "too many dimensions": lambda x: x[:, None, None],
    "negative": lambda x: np.r_[-1.0, x[1:]],
    "NaN": lambda x: np.r_[np.nan, x[1:]],
    "infinite": lambda x: np.r_[np.inf, x[1:]],
    "all zero": lambda x: 0 * x,
    "another sum": lambda x: 2 * x,
    "a slightly other sum": lambda x: x * (1 + 1e-5),
    "too large a sum": lambda x: np.full(len(x), 1e308),
    "text": lambda x: np.full(len(x), "a"),
    "complex": lambda x: x + 0j,
    "a word": lambda x: "word",
    "a number": lambda x: 1.0,
    "sparse": lambda x: sparse.csr_array(x[None]),
    "ragged": lambda x: [[1.0], [1.0, 2.0]],
}


@pytest.mark.parametrize("bad", BAD_MASSES)
@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize("function", FUNCTIONS, ids=name_of)
def test_masses_are_refused(function, name, bad):
    refused(lambda x: call(function, **{name: x}), BAD_MASSES[bad](VALID[name]), name)


OTHERS = [
    pytest.param(function, name, id=f"{function.__name__}-{name}")
    for function in FUNCTIONS
    for name in names(function)
    if name not in (*"XYMP", "callback", *IS_TRUE_OR_NOT)
]


@pytest.mark.parametrize("value", [object(), "nonsense", -7.5, np.nan], ids=name_of)
@pytest.mark.parametrize(("function", "name"), OTHERS)
def test_nonsense_is_refused(function, name, value):
    refused(lambda value: call(function, **{name: value}), value, name)


@pytest.mark.parametrize("value", [0, -1.0, np.inf, True, None, "1", [1.0], 1j], ids=str)
@pytest.mark.parametrize("function", [f for f in FUNCTIONS if "reg" in names(f)], ids=name_of)
def test_strengths_are_refused(function, value):
    refused(lambda value: call(function, reg=value), value, "reg")


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "1", None], ids=str)
@pytest.mark.parametrize("function", FUNCTIONS, ids=name_of)
def test_counts_are_refused(function, value):
    for name in ("max_iter", "numItermax", "n_cpu"):
        if name in names(function) and (name, value) != ("n_cpu", -1):
            refused(lambda value, name=name: call(function, **{name: value}), value, name)


@pytest.mark.parametrize("function", FUNCTIONS, ids=name_of)
def test_unknown_options_are_refused(function):
    if "options" in names(function):
        for method in ("auto", "sinkhorn", "sns", "ssns"):
            with pytest.raises(ValueError, match="method") as error:
                call(function, method=method, options={"speed": 9}, **of_matrix(function))
            assert_named(error, "options")


def of_matrix(function):
    return {} if "M" in names(function) else {"metric": "cityblock"}


@pytest.mark.parametrize("function", FUNCTIONS, ids=name_of)
def test_sides_that_do_not_match_are_refused(function):
    if "Y" in names(function):
        refused(lambda Y: call(function, Y=Y), VALID["Y"][:, :3], "Y")
    for name in set("MP") & set(names(function)):
        refused(lambda x, name=name: call(function, **{name: x}), VALID[name].T, "a", "b")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("function", "name"), DATA_OF)
def test_layout_does_not_matter(function, name, dtype, tmp_path):
    data = VALID[name].astype(dtype)
    expected = numbers(call(function, **{name: data}))
    for layout, form in dense_forms(data, tmp_path).items():
        kept = pickle.dumps(form)
        found = numbers(call(function, **{name: form}))
        np.testing.assert_allclose(found, expected, atol=1e-7, rtol=1e-7, err_msg=layout)
        assert pickle.dumps(form) == kept, layout


@pytest.mark.parametrize("dtype", ["float16", "int8", "int64", "longdouble", "bool"])
@pytest.mark.parametrize(("function", "name"), DATA_OF)
def test_other_numbers_are_converted(function, name, dtype):
    data = np.abs(VALID[name]).astype(dtype)
    expected = numbers(call(function, **{name: data.astype(np.float64)}))
    np.testing.assert_array_equal(numbers(call(function, **{name: data})), expected)


EXTREME = {
    "one column": lambda x: x[:, :1],
    "one row": lambda x: x[:1],
    "one entry": lambda x: x[:1, :1],
    "all equal": lambda x: np.full_like(x, 2.0),
    "all zero": lambda x: np.zeros_like(x),
    "huge": lambda x: x * 1e100,
    "tiny": lambda x: x * 1e-100,
    "subnormal": lambda x: x * 1e-310,
    "one outlier": lambda x: np.where(x == x.max(), 1e12, x),
}


@pytest.mark.parametrize("case", EXTREME)
@pytest.mark.parametrize(("function", "name"), DATA_OF)
def test_extreme_data_give_finite_results(function, name, case):
    data = EXTREME[case](VALID[name])
    other = {"X": "Y", "Y": "X"}.get(name)
    others = {other: EXTREME[case](VALID[other])} if other else {}
    masses = {"a": [], "b": []}
    scale = max(1.0, np.abs(data).max() ** (2 if other else 1))
    strength = {"reg": scale / 10} if "reg" in names(function) else {}
    strength |= {"regs": [scale, scale / 10]} if "regs" in names(function) else {}
    kept = data.copy()
    try:
        answer = call(function, **{name: data}, **others, **masses, **strength)
    except ValueError as error:
        assert re.match(rf"{name}\b|X and Y", str(error))
    else:
        assert np.isfinite(numbers(answer)).all()
    np.testing.assert_array_equal(data, kept)


def test_every_argument_is_looked_at():
    tested = {*VALID, *IS_TRUE_OR_NOT, "callback"}
    assert {parameter.values[1] for parameter in OTHERS} | tested >= {
        name for function in FUNCTIONS for name in inspect.signature(function).parameters
    }
