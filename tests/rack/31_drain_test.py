#!/usr/bin/env python3
"""A server is drained, stopped, started again and used again; its clients notice nothing."""

import json
import os
import subprocess
import time

from rack import CAPY, IPV4, OUT, PATIENCE_S, STACK, VERSIONS, Rack, check, each, finished, main, until


def requests_now(process):
    """What the load has told last."""
    line = process.stdout.readline()
    return json.loads(line)["requests"] if line else 0


def takes_connections(rack, server):
    """Asks again: a server that has just started refuses for a moment."""
    for other in ("s2", "s3"):
        rack.ask(other, "migrate_n", count=10, target=server)
    time.sleep(0.1)
    return rack.ask(server, "status")["migrations_in"] >= 10


def drain(version):
    path = os.path.join(OUT, "load.json")
    with Rack(version=version) as rack:
        load = rack.client(CAPY, "load", rack.ip["s1"], rack.ip["s2"], "--connections", "40",
                           "--seconds", "0", "--live-ms", "100", "--json", path,
                           stdout=subprocess.PIPE)
        until(lambda: requests_now(load) > 1000, "the load runs")
        check(rack.ask("s1", "status")["connections"] > 0, "nobody is at s1")
        rack.ask("s1", "drain")
        until(lambda: rack.ask("s1", "status")["tcp_connections"] == 0, "s1 is empty")
        rack.steer("stop", "s1")
        # Clients go on while it is away: those of its own address, too, which they look for anew.
        # Clients resolve while ip flushes: it may give up after ten rounds, and has done what we want.
        rack.client("ip", "neigh", "flush", "dev", "eth0", stdout=subprocess.DEVNULL).wait(PATIENCE_S)
        name = "arp_proxied" if version == IPV4 else "nd_proxied"
        if not STACK:  # a kernel goes on answering for itself when its program is away
            until(lambda: rack.ask("switch", "counters")["counters"][name] > 0,
                  "the switch answers for a server that is away")
        time.sleep(1)
        rack.steer("start", "s1")
        until(lambda: rack.ask("s1", "status")["switch_alive"], "s1 is back")
        until(lambda: takes_connections(rack, "s1"), "s1 is used again")
        time.sleep(0.5)
        load.terminate()
        finished(load, "the load ends")
        with open(path) as f:
            result = json.load(f)
        check(load.returncode == 0 and result["errors"] == 0, f"clients noticed: {result}")
        check(result["servers"].get("s1", 0) > 0 and result["servers"].get("s3", 0) > 0,
              f"not all servers answered: {result['servers']}")


def test():
    each(VERSIONS, drain)


if __name__ == "__main__":
    main(test)
