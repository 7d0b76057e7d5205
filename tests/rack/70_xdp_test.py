#!/usr/bin/env python3
"""The switch's plane in the kernel: the demo and some of the live tests on it. `make test-xdp` runs them
all there."""

from rack import another, main, need_xdp_plane

TESTS = ("11_demo", "20_download", "24_loss", "31_drain", "35_one_port", "42_switch_crash")


def test():
    need_xdp_plane()
    for name in TESTS:
        another(name, CAPY_PLANE="xdp", CAPY_BRIEF="1")


if __name__ == "__main__":
    main(test, "curl", "sha256sum")
