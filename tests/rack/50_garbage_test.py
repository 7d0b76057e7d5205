#!/usr/bin/env python3
"""Noise, broken frames, forged and stolen TCPMig, from a client's port and from servers' ports:
each is counted, nothing stops, no connection moves, and no client notices."""

import json
import os
import subprocess
import time

from crash import must_be_at_rest
from frames import broken, captured, forged, is_tcpmig, made_up, seeded, sent_by
from rack import CAPY, IPV4, IPV6, IPV6_ONLY, OUT, Mover, Rack, check, each, finished, main, moved, until

SEND = """
import socket, struct, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
data = open(sys.argv[1], "rb").read()
at = 0
while at < len(data):
    size, = struct.unpack_from("<I", data, at)
    try:
        s.send(data[at + 4:at + 4 + size].ljust(14, b"\\0"))
    except OSError:
        time.sleep(0.001)  # the device's queue is full; the frame was noise anyway
    at += 4 + size
    time.sleep(0.0001)
"""


def inject(rack, member, frames):
    """Sends frames from a member's device. How many."""
    path, frames = os.path.join(OUT, "frames"), list(frames)
    with open(path, "wb") as f:
        for frame in frames:
            f.write(len(frame).to_bytes(4, "little") + frame)
    rack.run("python3", "-c", SEND, path, member=member)
    os.unlink(path)
    return len(frames)


def owners(rack):
    return {c["client"]: s for s in rack.servers
            for c in rack.ask(s, "connections", limit=256)["connections"]}


def inject_all(rack):
    rng = seeded(1)
    stolen = [f for f in captured(os.path.join(OUT, "s3.pcapng")) if is_tcpmig(f)]
    primary = rack.ask("s3", "status")["ip"]
    own = [f for f in stolen if sent_by(f, primary)]
    check(len(own) > 50, "too few messages were captured")
    sample = rng.sample(own, 50)
    client, s1, s3, switch = (rack.ip[name] for name in ("c1", "s1", "s3", "switch"))
    everybody = [rack.ip[name] for name in (*rack.servers, "switch")]
    inject(rack, "c1", made_up(rng, client, everybody, 2000))
    inject(rack, "c1", forged(rng, client, switch))
    inject(rack, "c1", sample)                          # true tags, from the wrong side
    inject(rack, "s1", sample)                          # true tags, from the wrong server
    inject(rack, "s3", rng.sample(own, 50))             # true tags, from their sender, again
    inject(rack, "s3", broken(rng, stolen, 2000))
    inject(rack, "s3", forged(rng, s3, switch))
    inject(rack, "s3", forged(rng, s3, s1))
    inject(rack, "s3", made_up(rng, s3, everybody, 1000))


def must_be_counted(before, after):
    grown = {k for k in after if after[k] > before.get(k, 0)}
    print("counted:", " ".join(sorted(k for k in grown if k.startswith("drop_"))))
    for name in ("drop_mig_client_port", "drop_mig_tag", "drop_mig_malformed", "drop_mig_sender"):
        check(name in grown, f"{name} did not grow: {after}")


def garbage(version):
    path = os.path.join(OUT, "load.json")
    args = ("--httpd-args", f"--capture {OUT}/{{}}.pcapng")
    # Nothing for tshark's experts: much of what is on the wire is broken on purpose, and bears the MACs
    # and addresses of servers and the switch (made_up, broken), so no source tells it from what our
    # programs sent; the switch passes some of it on besides. 13_expert_test.py judges their frames.
    with Rack(args=args, version=version, judged=False) as rack:
        load = rack.client(CAPY, "load", rack.ip["s1"], rack.ip["s2"], "--connections", "16",
                           "--rate", "500", "--seconds", "0", "--live-ms", "1000", "--json", path,
                           stdout=subprocess.DEVNULL)
        with Mover(rack):
            until(lambda: moved(rack) > 300, "enough migrations to steal messages from")
        must_be_at_rest(rack)
        pids = {m["name"]: m["pid"] for m in rack.ask("rack", "status")["members"]}
        before, count = rack.ask("switch", "counters")["counters"], moved(rack)
        where = owners(rack)
        inject_all(rack)
        time.sleep(0.5)
        check(owners(rack) == where and moved(rack) == count, "a connection moved")
        must_be_counted(before, rack.ask("switch", "counters")["counters"])
        drops = rack.ask("s1", "counters")["drops"]
        check(sum(drops.values()) > 0, "s1 counted nothing")
        check({m["name"]: m["pid"] for m in rack.ask("rack", "status")["members"]} == pids,
              "a program ended")
        load.terminate()
        finished(load, "the load ends")
        with open(path) as f:
            result = json.load(f)
        check(load.returncode == 0 and result["errors"] == 0, f"clients noticed: {result}")


def test():
    each((IPV4, IPV6, IPV6_ONLY), garbage)


if __name__ == "__main__":
    main(test)
