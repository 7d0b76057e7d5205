#!/usr/bin/env python3
"""512 MiB sent by curl over one connection that is moved at least 100 times on its way; the
digest's state moves with it."""

from rack import Rack, main
from transfers import upload


def test():
    with Rack() as rack:
        upload(rack, mib=512, moves=100)


if __name__ == "__main__":
    main(test, "curl")
