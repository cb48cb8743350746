"""Every CUDA kernel compiles to PTX, for old and new GPUs and both precisions, without a GPU."""

import importlib.util
import json

import pytest

from tests.common.api import PACKAGE
from tests.conftest import SIMULATED

CAPABILITIES = [(7, 5), (9, 0)]
FILES = sorted(PACKAGE.rglob("*_cuda.py"))

COMPILE = r"""
import importlib, json, re, sys, types

sys.modules["numba_cuda_mlir"] = None  # it compiles for the GPU that is there, and for no other
name, capability = sys.argv[1], tuple(json.loads(sys.argv[2]))
from lowrank_la._support import cuda as support

cuda = support.cuda
device = types.SimpleNamespace(compute_capability=capability)
importlib.import_module("numba.cuda.dispatcher").get_current_device = lambda: device

def kernels(module):
    for name, value in vars(module).items():
        for key, item in value.items() if isinstance(value, dict) else [("", value)]:
            if isinstance(item, support.Kernel):
                yield f"{name} {key}", item

def compiled(kernel, dtype):
    signature = "void(" + re.sub(r"\bT\b", dtype, kernel.signature) + ")"
    ptx, _ = cuda.compile_ptx(kernel.function, signature, cc=capability)
    return ".entry" in ptx and ".target sm_%d%d" % capability in ptx

results = {}
for name, kernel in kernels(importlib.import_module(name)):
    for dtype in ("float32", "float64"):
        try:
            results[f"{name} {dtype}"] = compiled(kernel, dtype) or "there is no kernel in the PTX"
        except Exception as error:
            results[f"{name} {dtype}"] = f"{type(error).__name__}: {error}"
print(json.dumps(results))
"""


def test_there_are_kernels():
    assert FILES


@pytest.mark.skipif(
    SIMULATED or not importlib.util.find_spec("numba_cuda"),
    reason="numba-cuda, which compiles without a GPU, is not installed (extra gpu-check)",
)
@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_kernels_compile(path, capability, run_python):
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    printed = run_python("-c", COMPILE, module, json.dumps(capability))
    results = json.loads(printed.splitlines()[-1])
    assert results, "no kernels were found"
    assert {case: result for case, result in results.items() if result is not True} == {}
