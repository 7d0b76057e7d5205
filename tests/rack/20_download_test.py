#!/usr/bin/env python3
"""1 GiB by curl over one connection that is moved at least 100 times on its way."""

from rack import OUT, Rack, main
from transfers import download


def test():
    with Rack(args=("--root", OUT)) as rack:
        download(rack, mib=1024, moves=100)


if __name__ == "__main__":
    main(test, "curl", "sha256sum")
