#!/usr/bin/env python3
"""The service address: clients know it alone. Its connections spread over the servers, each stays where it is
while servers come and go, moves when it is told to, and is served on through a drain."""

import json
import os
import subprocess
import time

from crash import must_be_at_rest
from rack import CAPY, IPV4, IPV6, OUT, Rack, Mover, address, check, each, finished, main, moved, until

CONNECTIONS = 60
# A switch that is restarted on a busy machine is away for seconds, and clients back off.
PATIENCE_MS = 20000


def vip(version):
    return address(version, 100)


def url(version):
    host = vip(version) if version == IPV4 else f"[{vip(version)}]"
    return f"http://{host}/synthetic?bytes=2000&seed=7"


def owners(rack):
    """Who has each of the service address's connections, by the switch's directory."""
    found = rack.ask("switch", "entries", limit=1000)["entries"]
    return {e["client"]: e["owner"] for e in found}


def start_load(rack, path):
    return rack.client(CAPY, "load", vip(rack.version), "--connections", str(CONNECTIONS),
                       "--seconds", "0", "--live-ms", "100", "--timeout-ms", str(PATIENCE_MS),
                       "--json", path,
                       stdout=subprocess.PIPE)


def end_load(load, path):
    load.terminate()
    finished(load, "the load ends")
    with open(path) as f:
        result = json.load(f)
    check(load.returncode == 0 and result["errors"] == 0, f"clients noticed: {result}")
    return result


def asked(load):
    line = load.stdout.readline()
    return json.loads(line)["requests"] if line else 0


def takes_connections(rack, server):
    """New ones: a server that has just started refuses for a moment."""
    heads = rack.run("curl", "-sf", "-o", "/dev/null", "-D", "-", url(rack.version))
    return b"X-Capy-Server: " + server.encode() in heads


def come_and_go(rack, load):
    """While servers leave, and come back, nobody's connection changes hands but by migration."""
    until(lambda: len(owners(rack)) >= CONNECTIONS, lambda: f"{CONNECTIONS} connections: {owners(rack)}")
    before = owners(rack)
    check(len(set(before.values())) == 3, f"not all servers have some: {before}")
    rack.ask("s1", "drain")
    until(lambda: rack.ask("s1", "status")["tcp_connections"] == 0, "s1 is empty")
    must_be_at_rest(rack)  # an entry names the target before it has the connection
    after = owners(rack)
    stayed = [c for c, owner in before.items() if owner != "s1"]
    check(all(after.get(c) == before[c] for c in stayed), f"some changed: {before} {after}")
    rack.steer("stop", "s1")
    until(lambda: not rack.ask("switch", "servers")["servers"][0]["alive"], "s1 is away")
    for _ in range(20):
        rack.run("curl", "-sf", "-o", "/dev/null", url(rack.version))
    now = owners(rack)
    check(all(now.get(c) == after[c] for c in after), f"some changed: {after} {now}")
    rack.steer("start", "s1")
    until(lambda: rack.ask("s1", "status")["switch_alive"], "s1 is back")
    until(lambda: takes_connections(rack, "s1"), "s1 gets new connections")
    then = owners(rack)
    check(all(then.get(c) == after[c] for c in after), f"some changed: {after} {then}")
    check(asked(load) > 0, "the load stands still")


def reboot_switch(rack):
    """It learns again who has what."""
    must_be_at_rest(rack)
    before = owners(rack)
    rack.steer("restart", "switch")
    until(lambda: len(owners(rack)) >= CONNECTIONS, "the owners have announced themselves")
    after = owners(rack)
    check(all(after.get(c) == before[c] for c in before if c in after),
          f"some changed: {before} {after}")


def together(version):
    path = os.path.join(OUT, "load.json")
    with Rack(version=version, args=("--vip", "least_loaded")) as rack:
        until(lambda: all(s["alive"] and not s["draining"]
                          for s in rack.ask("switch", "servers")["servers"]), "all are up")
        load = start_load(rack, path)
        until(lambda: asked(load) > 500, "the load runs")
        come_and_go(rack, load)
        with Mover(rack):
            first = moved(rack)
            until(lambda: moved(rack) > first + 200, "connections move")
        reboot_switch(rack)
        time.sleep(0.3)
        result = end_load(load, path)
        check(len(result["servers"]) == 3, f"not all servers answered: {result['servers']}")
        until(lambda: not owners(rack), "the directory is empty again")


def by_table(version):
    with Rack(version=version, args=("--vip", "maglev")) as rack:
        until(lambda: all(s["alive"] and not s["draining"]
                          for s in rack.ask("switch", "servers")["servers"]), "all are up")
        path = os.path.join(OUT, "load.json")
        load = start_load(rack, path)
        until(lambda: asked(load) > 500, "the load runs")
        check(len(set(owners(rack).values())) == 3, f"not all servers have some: {owners(rack)}")
        end_load(load, path)


def test():
    each((IPV4, IPV6), together)
    by_table(IPV4)


if __name__ == "__main__":
    main(test, "curl")
