#!/usr/bin/env python3
"""Transfers over IPv6 whose connections move all the while: in a rack of both versions, where TCPMig
is IPv4, and in one of IPv6 alone; there also on a bad network, and with the state encrypted."""

from rack import HAS_IPV6, IPV6, IPV6_ONLY, OUT, Rack, each, main, skip
from transfers import download, events, upload


def transfers(version):
    with Rack(args=("--root", OUT), version=version) as rack:
        download(rack, mib=256, moves=50)
        upload(rack, mib=128, moves=50)
        events(rack, count=50, interval_ms=100, moves=50)


def bad_network(version):
    with Rack(args=("--root", OUT, "--encrypt"), version=version, wire=True) as rack:
        rack.ask("switch", "fault", port="all", loss_ppm=10000, dup_ppm=10000, reorder_ppm=10000,
                 seed=2)
        download(rack, mib=16, moves=10)
        upload(rack, mib=16, moves=10)


def test():
    if not HAS_IPV6:
        skip("needs a kernel with IPv6")
    each((IPV6, IPV6_ONLY), transfers)
    each((IPV6_ONLY,), bad_network)


if __name__ == "__main__":
    main(test, "curl", "sha256sum")
