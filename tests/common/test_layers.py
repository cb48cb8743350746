"""Imports point downwards only; the rules are checked on the syntax tree of every file."""

import ast
import sys

import pytest

from tests.common.api import PACKAGE

FILES = sorted(path for path in PACKAGE.rglob("*.py"))
MODULES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in FILES}
SHARED = ("_support", "_kernels")
ORDER = ["sketch", "linear_model", "sampling", "decomposition"]  # each may use those before it
ABOVE = ("__init__", "__main__", "datasets")
# pairwise_distances hands what it cannot do faster to scikit-learn's function of that name, and so
# do kernels that are not Gaussian.
SKLEARN = (
    "_support.validation",
    "_support.progress",
    "cluster._distances",
    "decomposition._kernel_entries",
)
CUDA = ("cupy", "cupyx", "numba.cuda", "numba_cuda", "numba_cuda_mlir")
COMPILERS = ("njit", "jit", "generated_jit", "vectorize", "guvectorize", "stencil", "cfunc")
IMPORTERS = ("import_module", "find_spec", "__import__")
KERNELS_USE = {"numpy", "numba", "llvmlite", *sys.stdlib_module_names}
LAPACK = ("decomposition._pivots_cpu",)  # what CuPy has not, so that its twin is a loop


def dotted(node):
    """``a.b.c`` for an attribute of an attribute of a name, else ''."""
    if isinstance(node, ast.Name):
        return node.id
    base = dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{base}.{node.attr}" if base else ""


def resolve(node, module):
    """Full names of what an import statement, or a call of an importer, brings in."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = module.split(".")[: -node.level] if node.level else []
        base = ".".join(["lowrank_la", *base] if node.level else [])
        origin = ".".join(filter(None, [base, node.module]))
        return [f"{origin}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] in IMPORTERS:
        constant = node.args and isinstance(node.args[0], ast.Constant)
        return [node.args[0].value] if constant else []
    return []


def imports(tree, module):
    return [name for node in ast.walk(tree) for name in resolve(node, module)]


def kind(module):
    """0 plumbing, 1 shared kernels, 2 kernels, 3 solvers, 4 estimators and what is above."""
    parts = module.split(".")
    if parts[0] in SHARED:
        return SHARED.index(parts[0])
    if module == "sketch.__init__":  # names operators alone, which solvers use
        return 3
    estimators = parts[-1].startswith("_estimators")
    if estimators or parts[0] in ABOVE or parts[-1] in ABOVE or len(parts) == 1:
        return 4
    return 2 if parts[-1].endswith(("_cpu", "_cuda")) else 3


def within(name, packages):
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def own(name):
    """Module of ours that a full name lies in, or None."""
    parts = name.split(".")
    if parts[0] != "lowrank_la":
        return None
    for length in range(len(parts), 1, -1):
        module = ".".join(parts[1:length])
        if module in MODULES or f"{module}.__init__" in MODULES:
            return module if module in MODULES else f"{module}.__init__"
    return "__init__"


def points_down(module, tree):
    """An import goes to the same layer or to one below."""
    targets = [own(name) for name in imports(tree, module)]
    return [target for target in targets if target and kind(target) > kind(module)]


def kernels_are_plain(module, tree):
    """Kernels import NumPy, the compilers, their CPU twin, and what is below them."""
    if kind(module) not in (1, 2):
        return []
    allowed = KERNELS_USE | ({"scipy"} if module in LAPACK else set())
    outside = [name for name in imports(tree, module) if not own(name)]
    inside = [target for target in map(own, imports(tree, module)) if target]
    return [
        *[name for name in outside if name.split(".")[0] not in allowed],
        *[name for name in inside if kind(name) > 1 and not name.endswith("_cpu")],
    ]


def cuda_has_one_door(module, tree):
    """Only `_support.cuda` names a CUDA package."""
    if module == "_support.cuda":
        return []
    names = imports(tree, module) + [dotted(node) for node in ast.walk(tree)]
    return [name for name in names if within(name, CUDA)]


def scikit_learn_is_above(module, tree):
    """Below the estimators only validation and progress know scikit-learn."""
    if kind(module) == 4 or module in SKLEARN:
        return []
    return [name for name in imports(tree, module) if within(name, ["sklearn"])]


def capabilities_are_apart(module, tree):
    """A capability imports itself, what is shared, and those before it in the order."""
    mine = module.split(".")[0]
    if mine in ("__init__", "__main__"):
        return []
    before = ORDER[: ORDER.index(mine)] if mine in ORDER else ["sketch"]
    allowed = {mine, *SHARED, *before} if mine not in SHARED else {*SHARED}
    targets = [own(name) for name in imports(tree, module)]
    return [t for t in targets if t and t.split(".")[0] not in allowed]


def one_compiler(module, tree):
    """Only `_support.jit` compiles for the CPU."""
    if module == "_support.jit":
        return []
    names = imports(tree, module) + [dotted(node) for node in ast.walk(tree)]
    return [name for name in names if name in {f"numba.{compiler}" for compiler in COMPILERS}]


RULES = [
    points_down,
    kernels_are_plain,
    cuda_has_one_door,
    scikit_learn_is_above,
    capabilities_are_apart,
    one_compiler,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("module", MODULES)
def test_rule(rule, module):
    assert not rule(module, ast.parse(MODULES[module].read_text())), rule.__doc__


BROKEN = [
    (points_down, "cluster._pam", "from ._estimators import KMedoids"),
    (points_down, "cluster._cpu", "def f():\n    from lowrank_la.cluster import _pam"),
    (points_down, "_support.blocks", "from .._kernels.rng import philox"),
    (kernels_are_plain, "cluster._cpu", "import scipy.sparse"),
    (kernels_are_plain, "_kernels.lanes", "from sklearn import base"),
    (kernels_are_plain, "cluster._cuda", "from ._pam import fasterpam"),
    (cuda_has_one_door, "cluster._cuda", "from numba import cuda"),
    (cuda_has_one_door, "cluster._pam", "import importlib\nimportlib.import_module('cupy')"),
    (cuda_has_one_door, "_support.blocks", "import numba\nnumba.cuda.grid(1)"),
    (scikit_learn_is_above, "cluster._pam", "def f():\n    import sklearn.base"),
    (points_down, "sketch._streams", "from ..linear_model import lstsq"),
    (capabilities_are_apart, "sketch._streams", "from ..linear_model import lstsq"),
    (capabilities_are_apart, "_kernels.rng", "from ..sketch import SRHT"),
    (capabilities_are_apart, "transport._sinkhorn", "from ..cluster import _pam"),
    (capabilities_are_apart, "linear_model._lp", "import lowrank_la.cluster._pam"),
    (capabilities_are_apart, "_kernels.rng", "from ..cluster import _cpu"),
    (capabilities_are_apart, "_kernels.rng", "from .. import __version__"),
    (one_compiler, "cluster._cpu", "from numba import njit"),
    (one_compiler, "_kernels.rng", "import numba\n@numba.vectorize\ndef f(): pass"),
]


@pytest.mark.parametrize(("rule", "module", "source"), BROKEN)
def test_rule_sees_what_breaks_it(rule, module, source):
    assert rule(module, ast.parse(source))


def test_every_layer_is_walked():
    assert {kind(module) for module in MODULES} == {0, 1, 2, 3, 4}
