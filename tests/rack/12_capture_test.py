#!/usr/bin/env python3
"""Captures at every driver are pcapng that tshark reads, and what our side sends, over IPv4 and over
IPv6, is well-formed: right lengths, right checksums, no TCP that an observer wonders at."""

import os
import shutil
import subprocess

from rack import CAPY, IPV4, OUT, PATIENCE_S, PLANE, VERSIONS, Mover, Rack, check, main, moved

CAPTURES = os.path.join(OUT, "capture")
FRAMES_MIN = 1000
STRICT = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
          "-o", "udp.check_checksum:TRUE"]  # ICMPv6 it checks always
CLIENT_MAC = "02:ca:0a:63:00:65"
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
                        *STRICT, "-Y", f"({wanted}) && eth.src != {CLIENT_MAC}", "-T",
                        "fields", "-e", "frame.number", "-e", "eth.src", "-e", "_ws.expert.message"],
                       capture_output=True, timeout=3 * PATIENCE_S)
    check(p.returncode == 0, f"tshark {name}: {p.stderr.decode()}")
    return p.stdout.decode().splitlines()


def capture(driver, version):
    print(f"driver {driver}, {version}", flush=True)
    shutil.rmtree(CAPTURES, ignore_errors=True)
    args = ("--driver", driver, "--capture", CAPTURES)
    with Rack(args=args, version=version) as rack:
        with Mover(rack):
            rack.run(CAPY, "load", "--connections", "8", "--requests", "3000", "--rate", "1500",
                     "--bytes", "3000", rack.ip["s1"])
        check(moved(rack) > 0, "nothing moved")
    ip = "ip" if version == IPV4 else "ipv6"
    frames = tshark("c1", f"{ip}.src == {rack.ip['s1']}")
    check(len(frames) >= FRAMES_MIN, f"only {len(frames)} frames of s1 in the capture")
    for port in ("c1", *rack.servers):
        faults = FAULTS + GAPS if port == "c1" else FAULTS
        found = tshark(port, " || ".join(faults))
        check(not found, f"{port}: {len(found)} frames, such as {found[:3]}")


def test():
    if PLANE == "user":  # the kernel's needs veths
        capture("tap", IPV4)
    for version in VERSIONS:
        capture("af_xdp", version)


if __name__ == "__main__":
    main(test, "tshark")
