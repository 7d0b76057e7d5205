#!/usr/bin/env python3
"""The same transfers on a network that loses 1 %, repeats 1 % and reorders 1 % of all frames,
those of TCPMig included, in every direction."""

from rack import OUT, Rack, check, main
from transfers import download, events, upload


def test():
    with Rack(args=("--root", OUT), wire=True) as rack:
        rack.ask("switch", "fault", port="all", loss_ppm=10000, dup_ppm=10000, reorder_ppm=10000,
                 seed=1)
        download(rack, mib=32, moves=20)
        upload(rack, mib=32, moves=20)
        events(rack, count=50, interval_ms=100, moves=30)
        ports = rack.ask("switch", "ports")["ports"]
        for port in ports:
            fault = port["fault"]
            check(fault["lost"] > 0 and fault["duplicated"] > 0 and fault["reordered"] > 0,
                  f"the network was too kind on port {port['port']}: {fault}")


if __name__ == "__main__":
    main(test, "curl", "sha256sum")
