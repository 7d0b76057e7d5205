#!/usr/bin/env python3
"""The switch's plane in the kernel: the demo and some of the live tests on it. `make test-xdp` runs them
all there."""

import os
import subprocess
import sys

from rack import ROOT, SKIPPED, check, main, need_xdp_plane, skip

TESTS = ("11_demo", "20_download", "24_loss", "31_drain", "35_one_port", "42_switch_crash")


def test():
    need_xdp_plane()
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
