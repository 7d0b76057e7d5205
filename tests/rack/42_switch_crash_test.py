#!/usr/bin/env python3
"""kill -9 of the switch, twice, under a transfer that moves all the while, then a new switch: it
learns who owns what from its servers, and the transfer ends as if nothing had been."""

import time

from crash import Asking, Transfer, must_be_at_rest
from rack import IPV4, IPV6_ONLY, OUT, PLANE, Mover, Rack, each, main, moved, until


def crash_twice(version):
    with Rack(args=("--root", OUT), version=version) as rack:
        transfer = Transfer(rack)
        asking = None if PLANE == "user" else Asking(rack)
        with Mover(rack):
            for _ in range(2):
                time.sleep(0.5)
                rack.steer("kill", "switch")
                time.sleep(0.3)
                rack.steer("start", "switch")
                before = moved(rack)
                until(lambda: moved(rack) > before, "connections move again under the new switch")
        if asking:
            asking.end()
        transfer.must_succeed()
        must_be_at_rest(rack)


def test():
    each((IPV4, IPV6_ONLY), crash_twice)


if __name__ == "__main__":
    main(test, "curl", "sha256sum")
