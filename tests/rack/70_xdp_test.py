#!/usr/bin/env python3
"""The switch's plane in the kernel: the demo and some of the live tests on it. `make test-xdp` runs them
all there."""

import os
import subprocess
import sys

from rack import CAPY, OUT, ROOT, SKIPPED, check, main, skip

TESTS = ("11_demo", "20_download", "31_drain", "35_one_port", "42_switch_crash")


def built():
    """False where the plane was left out of the build."""
    p = subprocess.run([CAPY, "rack", "run", "--plane", "xdp", "--dir", os.path.join(OUT, "rack"),
                        "--", "true"], capture_output=True)
    return b"install clang and bpftool" not in p.stderr


def test():
    if not built():
        skip("the XDP plane is not built: needs clang and bpftool")
    for name in TESTS:
        p = subprocess.run([sys.executable, os.path.join(ROOT, "tests", "rack", f"{name}_test.py")],
                           env={**os.environ, "CAPY_PLANE": "xdp", "CAPY_BRIEF": "1"}, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        said = p.stdout.decode(errors="replace").strip()
        print(said, flush=True)
        if p.returncode == SKIPPED:
            skip(said.splitlines()[-1])
        check(p.returncode == 0, f"{name} on the XDP plane")


if __name__ == "__main__":
    main(test, "curl", "sha256sum")
