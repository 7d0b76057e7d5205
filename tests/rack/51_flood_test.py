#!/usr/bin/env python3
"""SYNs from made-up addresses, many times what the service answers: its clients keep being answered,
and new connections of an unmodified kernel get in by SYN cookies, with all their options."""

import json
import os
import subprocess

from frames import seeded, syn
from rack import CAPY, CLIENT, OUT, PATIENCE_S, SERVER, Rack, check, finished, main, until

RATE = 500        # requests a second that are served meanwhile
FLOOD = 10 * RATE  # SYNs a second at least
NEWCOMERS = 20

SEND = """
import select, socket, struct, sys, time
data, rate = open(sys.argv[1], "rb").read(), int(sys.argv[2])
size, = struct.unpack_from("<I", data)
frames = [data[at + 4:at + 4 + size] for at in range(0, len(data), size + 4)]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
sent, begun = 0, time.monotonic()
while not select.select([sys.stdin], [], [], 0)[0]:
    while sent < rate * (time.monotonic() - begun):
        try:
            s.send(frames[sent % len(frames)])
        except OSError:
            pass  # the device's queue is full
        sent += 1
    time.sleep(0.001)
print(sent)
"""


def flood(rack):
    """Starts it, until its stdin ends, from addresses beyond the rack, which never answer."""
    rng, path = seeded(2), os.path.join(OUT, "syns")
    with open(path, "wb") as f:
        for _ in range(20000):
            frame = syn(rng, CLIENT, SERVER["s1"], 80)
            f.write(len(frame).to_bytes(4, "little") + frame)
    return rack.client("python3", "-c", SEND, path, str(FLOOD),
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def counters(rack):
    return rack.ask("s1", "counters")["frames"]


def load(rack, name):
    """Served clients for a while: their figures."""
    path = os.path.join(OUT, name + ".json")
    rack.run(CAPY, "load", SERVER["s1"], "--connections", "16", "--rate", str(RATE), "--seconds",
             "2", "--json", path)
    with open(path) as f:
        return json.load(f)


def newcomers(rack):
    """New connections, one after the other, each while there is no other way in: every answer must be whole."""
    url = f"http://{SERVER['s1']}/synthetic?bytes=200000&seed=7"
    for _ in range(NEWCOMERS):
        full = counters(rack)["syn_cookies_sent"] + 100
        until(lambda: counters(rack)["syn_cookies_sent"] > full, "the SYN queue is full")
        out = rack.run("curl", "-s", "-S", "-m", str(PATIENCE_S), "-o", "/dev/null", "-w",
                       "%{http_code} %{size_download}", url).decode()
        check(out == "200 200000", f"a newcomer got {out}")


def test():
    with Rack() as rack:
        before = load(rack, "before")
        attacker = flood(rack)
        until(lambda: counters(rack)["syn_cookies_sent"] > 1000, "a full SYN queue")
        during = load(rack, "during")
        newcomers(rack)
        check(attacker.poll() is None, "the flood ended before the load did")
        n = counters(rack)
        sent = int(finished(attacker, "the flood ends")[0])
        print(f"{sent} SYNs; cookies sent {n['syn_cookies_sent']}, ok {n['syn_cookies_ok']}, "
              f"bad {n['syn_cookies_bad']}")
        for name, r in ("before", before), ("during", during):
            print(f"{name} the flood: {r['requests']} of {r['due']} requests answered, {r['errors']} errors, p50 "
                  f"{r['latency_us']['p50']:.0f} us, p99 {r['latency_us']['p99']:.0f} us")
            check(r["errors"] == 0, f"clients noticed {name} the flood: {r}")
        check(n["syn_cookies_ok"] >= NEWCOMERS, f"too few came by cookie: {n}")
        check(n["syn_cookies_bad"] == 0, f"cookies were refused: {n}")


if __name__ == "__main__":
    main(test, "curl")
