"""Public names that are imported when they are first used (SPEC 1)."""

import importlib


def attach(package, names):
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` for a package.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    names : dict of str to str
        Public name to the submodule that defines it; a submodule that is
        itself public maps to itself.
    """

    def load(name):
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(f"{package}.{names[name]}")
        return module if names[name] == name else getattr(module, name)

    return load, lambda: sorted(names), sorted(names)
