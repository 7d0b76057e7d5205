#!/usr/bin/env python3
"""Members on kernel sockets: connections move between them, from them to our own stack and back, and an
unmodified client notices nothing."""

import json
import os
import subprocess

from rack import CAPY, IPV4, IPV6, OUT, Mover, Rack, check, each, finished, main, moved, skip, until
from transfers import download, events, upload

MIXES = ("linux", "linux,capy", "capy,linux,capy")


def built():
    """False where the gate before the kernel's TCP was left out of the build."""
    p = subprocess.run([CAPY, "rack", "run", "--stack", "linux", "--dir", os.path.join(OUT, "rack"), "--", "true"],
                       capture_output=True)
    return b"install clang and bpftool" not in p.stderr


def requests(version, stack):
    """Keep-alive connections of a kernel client under load, each moved all the time."""
    path = os.path.join(OUT, "load.json")
    with Rack(version=version, args=("--stack", stack)) as rack:
        load = rack.client(CAPY, "load", rack.ip["s1"], rack.ip["s2"], "--connections", "24", "--seconds", "0",
                           "--live-ms", "1000", "--json", path, stdout=subprocess.PIPE)
        with Mover(rack):
            until(lambda: moved(rack) >= 150 and all(rack.ask(s, "status")["migrations_in"] >= 20 for s in rack.servers),
                  "150 moves")
        load.terminate()
        finished(load, "the load ends")
        with open(path) as f:
            result = json.load(f)
        print(f"{stack}: {moved(rack)} moves, {result['requests']} answers, "
              f"{result['client_retransmits']} repeated by the client", flush=True)
        check(result["errors"] == 0 and result["requests"] > 0, f"{stack}: clients noticed: {result}")
        check(len(result["servers"]) > 1, f"{stack}: one server answered all: {result['servers']}")
        for server in rack.servers:
            kept = rack.ask(server, "counters")["migration"].get("refused_bad_state", 0)
            check(kept == 0, f"{stack}: {server} refused {kept} snapshots")


def transfers(version, stack):
    """Bytes not read, not acknowledged and not sent, in mid-flight."""
    with Rack(version=version, args=("--stack", stack, "--root", OUT), wire=True) as rack:
        download(rack, mib=16, moves=2)
        upload(rack, mib=16, moves=2)
        events(rack, count=100, interval_ms=5, moves=5)
        rack.ask("switch", "fault", port="all", loss_ppm=20000, dup_ppm=20000, reorder_ppm=20000, seed=1)
        events(rack, count=50, interval_ms=20, moves=5)  # messages of TCPMig are lost as well


def test():
    if not built():
        skip("--stack linux is not built: needs clang and bpftool")
    each((IPV4, IPV6), lambda version: [requests(version, stack) for stack in MIXES[:3 if version == IPV4 else 2]])
    for stack in MIXES:
        print(f"transfers: {stack}", flush=True)
        transfers(IPV4, stack)


if __name__ == "__main__":
    main(test, "curl", "sha256sum")
