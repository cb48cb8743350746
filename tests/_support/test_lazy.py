import sys

import pytest

import lowrank_la
from lowrank_la import cluster
from lowrank_la._support.lazy import attach


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a private module that defines `value`, and a public one."""
    folder = tmp_path / "lazy_example"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "_private.py").write_text("value = object()")
    (folder / "public.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield "lazy_example"
    for name in [name for name in sys.modules if name.startswith("lazy_example")]:
        del sys.modules[name]


def test_names_are_imported_when_they_are_used(package):
    load, names, public = attach(package, {"value": "_private", "public": "public"})
    assert names() == public == ["public", "value"]
    assert f"{package}._private" not in sys.modules
    assert load("value") is sys.modules[f"{package}._private"].value
    assert load("public") is sys.modules[f"{package}.public"]


def test_other_names_raise_attribute_error(package):
    load, _, _ = attach(package, {"value": "_private"})
    with pytest.raises(AttributeError, match=r"'lazy_example' has no attribute 'nothing'"):
        load("nothing")


@pytest.mark.parametrize("module", [lowrank_la, cluster])
def test_packages_list_what_they_offer(module):
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is getattr(module, name)
    with pytest.raises(AttributeError):
        _ = module.nothing
    with pytest.raises(ImportError):
        exec(f"from {module.__name__} import nothing")
