#!/usr/bin/env python3
"""Captures at every driver are pcapng that tshark reads, and what our side sends is well-formed:
right lengths, right checksums, no TCP that an observer wonders at."""

import os
import shutil
import subprocess

from rack import CAPY, CLIENT, OUT, SERVER, Mover, Rack, check, main, moved

CAPTURES = os.path.join(OUT, "capture")
FRAMES_MIN = 1000
STRICT = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
          "-o", "udp.check_checksum:TRUE"]
# What an observer must find in no frame but the clients' own. Not retransmissions: the cores are
# shared, and a stall looks like a loss.
FAULTS = ('_ws.expert.group == "Checksum"', '_ws.expert.group == "Malformed"',
          '_ws.expert.group == "Protocol"', '_ws.expert.severity == "Error"')
# ... nor at the clients' cable, where whole connections are seen.
GAPS = ("tcp.analysis.ack_lost_segment", "tcp.analysis.lost_segment")


def tshark(name, wanted):
    """Number and experts' words of the frames that are as wanted and not a client's own."""
    # As data, not as whatever protocol a port number suggests.
    p = subprocess.run(["tshark", "-n", "-r", os.path.join(CAPTURES, name + ".pcapng"),
                        "-d", "tcp.port==0-65535,data", "-d", "udp.port==0-65535,data",
                        *STRICT, "-Y", f"({wanted}) && ip.src != {CLIENT}", "-T", "fields",
                        "-e", "frame.number", "-e", "ip.src", "-e", "_ws.expert.message"],
                       capture_output=True, timeout=120)
    check(p.returncode == 0, f"tshark {name}: {p.stderr.decode()}")
    return p.stdout.decode().splitlines()


def capture(driver):
    print(f"driver {driver}", flush=True)
    shutil.rmtree(CAPTURES, ignore_errors=True)
    with Rack(args=("--driver", driver, "--capture", CAPTURES)) as rack:
        with Mover(rack):
            rack.run(CAPY, "load", "--connections", "8", "--requests", "3000", "--rate", "1500",
                     "--bytes", "3000", SERVER["s1"])
        check(moved(rack) > 0, "nothing moved")
    frames = tshark("c1", f"ip.src == {SERVER['s1']}")
    check(len(frames) >= FRAMES_MIN, f"only {len(frames)} frames of s1 in the capture")
    for port in ("c1", *rack.servers):
        faults = FAULTS + GAPS if port == "c1" else FAULTS
        found = tshark(port, " || ".join(faults))
        check(not found, f"{port}: {len(found)} frames, such as {found[:3]}")


def test():
    for driver in ("af_xdp", "tap"):
        capture(driver)


if __name__ == "__main__":
    main(test, "tshark")
