"""What the figures were measured on, and with."""

import contextlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def describe():
    """Describe the machine that the figures hold for."""
    import numpy  # noqa: F401  (loads the BLAS that is to be named)
    import scipy.linalg  # noqa: F401
    import threadpoolctl

    blas = {
        f"{pool['internal_api']} {pool.get('architecture', '?')} {pool['version']}"
        for pool in threadpoolctl.threadpool_info()
        if pool["user_api"] == "blas"
    }
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": _memory_gb(),
        "system": platform.platform(),
        "blas": sorted(blas),
        "threads": 1,
        "load_before": load(),
    }


def _cpu_model():
    """Name, family and model: the name alone is often that of all of a maker's servers."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    info = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    widest = next((w for w in ("avx512f", "avx2", "avx") if w in info.get("flags", "").split()), "")
    name = info.get("model name", platform.machine())
    if "cpu family" in info:
        name += f" (family {info['cpu family']}, model {info['model']}, {widest})"
    return name


def _memory_gb():
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError):
        return None


def load():
    """Return the load average of the last minute, or None."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def versions(peers):
    """Return the versions of everything that took part."""
    import lowrank_la

    found = {"python": platform.python_version(), "lowrank_la": lowrank_la.__version__}
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        command = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
        found["commit"] = done.stdout.strip()
    for package in ("numpy", "scipy", "numba", "scikit-learn", *peers):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
