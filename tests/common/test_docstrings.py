"""Every public object is documented as numpydoc asks, and truly."""

import inspect
import re
from ast import literal_eval
from dataclasses import fields, is_dataclass
from functools import cached_property

import pytest

import lowrank_la
from tests.common.api import (
    modules,
    public_estimators,
    public_functions,
    public_objects,
    public_operators,
)

HEADING = re.compile(r"^(\w[\w ]*)\n-+$", re.MULTILINE)
ENTRY = re.compile(r"^(\w+(?:, \w+)*) : |^(\*\*?\w+)$", re.MULTILINE)


def sections(documented):
    """Text under each heading of a numpydoc docstring; the summary is under ''."""
    text = inspect.getdoc(documented) or ""
    names = ["", *HEADING.findall(text)]
    return dict(zip(names, HEADING.split(text)[::2], strict=True))


def entries(section):
    """Names that a section defines, in order."""
    return [
        name.strip("* ")
        for typed, starred in ENTRY.findall(section)
        for name in (typed or starred).split(",")
    ]


def arguments(function):
    names = list(inspect.signature(function).parameters)
    return [name for name in names if name not in ("self", "cls")]


def check_function(function, *required):
    found = sections(function)
    assert found[""].strip(), "no summary"
    assert not [name for name in required if name not in found]
    assert entries(found.get("Parameters", "")) == arguments(function)


def public_methods():
    return [
        pytest.param(method, id=f"{cls.__name__}.{name}")
        for cls in public_estimators() + public_operators()
        for name, method in inspect.getmembers(cls)
        if inspect.isfunction(method) or inspect.ismethod(method)
        if method.__module__.startswith("lowrank_la") and not name.startswith("_")
    ]


def result_classes():
    return [value for _, value in public_objects(type) if is_dataclass(value)]


@pytest.mark.parametrize("function", public_functions())
def test_functions(function):
    check_function(function, "Parameters", "Returns", "Examples")


@pytest.mark.parametrize("cls", public_estimators() + public_operators())
def test_classes(cls):
    check_function(cls, "Parameters", "Attributes", "Examples")


@pytest.mark.parametrize("method", public_methods())
def test_methods_of_estimators(method):
    check_function(method, "Parameters", "Returns")


@pytest.mark.parametrize("cls", result_classes())
def test_results(cls):
    documented = entries(sections(cls)["Attributes"])
    offered = [f.name for f in fields(cls)] + [
        name for name, value in vars(cls).items() if isinstance(value, property | cached_property)
    ]
    assert sorted(documented) == sorted(name for name in offered if name[0] != "_")


@pytest.mark.parametrize(
    "described", [*public_functions(), *public_estimators(), *public_operators()]
)
def test_defaults_are_told(described):
    section = sections(described)["Parameters"]
    for name, parameter in inspect.signature(described).parameters.items():
        if parameter.default is not inspect.Parameter.empty:
            line = next(line for line in section.splitlines() if re.match(rf"{name}\b.* : ", line))
            told = line.partition(", default=")[2]
            told = told if told == "nan" else repr(literal_eval(told))
            assert told == repr(parameter.default), name


def test_examples_are_run(pytestconfig):
    assert "--doctest-modules" in pytestconfig.getini("addopts")
    assert "lowrank_la" in pytestconfig.getini("testpaths")


def test_every_public_object_is_of_a_kind_that_is_checked():
    kinds = [*public_functions(), *public_estimators(), *public_operators(), *result_classes()]
    assert not [name for name, value in public_objects() if value not in kinds]


@pytest.mark.parametrize("module", [lowrank_la, *modules()], ids=lambda module: module.__name__)
def test_modules(module):
    assert (module.__doc__ or "").strip()


def test_the_parser_sees_what_is_wrong():
    def function(a, b=2):
        """Do it.

        Parameters
        ----------
        b, a : int

        Returns
        -------
        c : int
        """

    assert list(sections(function)) == ["", "Parameters", "Returns"]
    assert entries(sections(function)["Parameters"]) == ["b", "a"]
    with pytest.raises(AssertionError):
        check_function(function, "Parameters", "Returns")
