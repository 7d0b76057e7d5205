#!/usr/bin/env python3
"""30 s of server-sent events while their connection moves: every event once, in order."""

from rack import Rack, main
from transfers import events


def test():
    with Rack() as rack:
        events(rack, count=300, interval_ms=100, moves=300)


if __name__ == "__main__":
    main(test, "curl")
