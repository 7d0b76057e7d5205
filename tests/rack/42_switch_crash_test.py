#!/usr/bin/env python3
"""kill -9 of the switch, twice, under a transfer that moves all the while, then a new switch: it
learns who owns what from its servers, and the transfer ends as if nothing had been."""

import time

from crash import Transfer, must_be_at_rest
from rack import OUT, Mover, Rack, check, main, moved


def test():
    with Rack(args=("--root", OUT)) as rack:
        transfer = Transfer(rack, mib=128)
        with Mover(rack):
            for _ in range(2):
                time.sleep(0.5)
                rack.steer("kill", "switch")
                time.sleep(0.3)
                rack.steer("start", "switch")
                before = moved(rack)
                time.sleep(1)
                check(moved(rack) > before, "connections move again under the new switch")
        transfer.must_succeed()
        must_be_at_rest(rack)


if __name__ == "__main__":
    main(test, "curl", "sha256sum")
