"""The machine that a run was made on, as far as it explains figures."""

import os
import platform
import re
import subprocess
import time


def _first(path, pattern):
    try:
        with open(path, encoding="utf-8") as f:
            found = re.search(pattern, f.read(), re.M)
            return found.group(1) if found else None
    except OSError:
        return None


def _said(*argv):
    try:
        out = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=10)
        return out.stdout.strip().splitlines()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return None


def describe(root):
    """Everything is text or a number; what cannot be learned is None."""
    memory = _first("/proc/meminfo", r"^MemTotal:\s+(\d+)")
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "commit": _said("git", "-C", root, "describe", "--always", "--dirty"),
        "cpu": _first("/proc/cpuinfo", r"^model name\s*:\s*(.+)$"),
        "cores": len(os.sched_getaffinity(0)),
        "virtual": bool(re.search(r"\bhypervisor\b",
                                  _first("/proc/cpuinfo", r"^flags\s*:\s*(.+)$") or "")),
        "memory_gib": round(int(memory) / 2**20, 1) if memory else None,
        "kernel": platform.release(),
        "compiler": _said("gcc", "--version"),
        "load_average": round(os.getloadavg()[0], 2),
    }


def words(m):
    """One line for people."""
    parts = [m["cpu"] or "unknown processor", f"{m['cores']} cores" if m["cores"] != 1 else "1 core",
             f"{m['memory_gib']} GiB", f"Linux {m['kernel']}"]
    if m["virtual"]:
        parts.append("a virtual machine")
    return ", ".join(parts)


BUSY_LOAD = 1.0


def is_busy(m):
    """Others used it when the run began: times are then not to be trusted."""
    return m["load_average"] > BUSY_LOAD
