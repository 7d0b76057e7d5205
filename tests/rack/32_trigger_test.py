#!/usr/bin/env python3
"""The automatic trigger (paper §3.3): a server over its load threshold moves connections by itself
to where there is least load, until it is under it; then, and without load, nothing moves."""

import json
import os
import subprocess
import time

from rack import CAPY, OUT, PATIENCE_S, Rack, check, main, until

CONNECTIONS = 32
THRESHOLD = 12  # requests in hand: all 32 on one server are over it, a third of them is under
LOAD_S = 6
# Slept, and long beside the stalls of a busy machine: else a server is idle while its client waits for a core.
SERVICE_US = 4000
# Without load a connection would have to be moved by mistake; with it, each of some connections a
# few times at most while the servers come to terms.
MOVES_MAX = 10 * CONNECTIONS


def moves(rack):
    return sum(rack.ask(s, "status")["migrations_automatic"] for s in rack.servers)


def at_rest(rack):
    """Each server has seen its load end, and its last move is over. That takes a moment: a load is an
    average over some time, and a decision made at its end counts once the connection is there."""
    triggers = [rack.ask(s, "status")["trigger"] for s in rack.servers]
    return all(t["state"] == "calm" and t["in_flight"] == 0 for t in triggers)


def lines(rack, *what):
    """What `capy ctl` prints about the trigger."""
    return subprocess.run([CAPY, "ctl", "--rack", rack.path("rack.conf"), *what], check=True,
                          capture_output=True, text=True, timeout=PATIENCE_S).stdout.splitlines()


def check_decisions(rack, in_all):
    """Each move is on record with what was known; and the table says how things stand."""
    decisions = [json.loads(line) for line in lines(rack, "decisions")]
    times = [d["at_ns"] for d in decisions]
    check(times == sorted(times), "decisions are not in the order of time")
    moved = [d for d in decisions if d["why"] == "moved"]
    check(len(moved) >= in_all, f"{in_all} moves, {len(moved)} on record")
    check(all(d["server"] and ":" in d["client"] and 0 <= d["share"] <= 1 and
              d["load"] > d["least_load"] for d in moved), f"a move without its reasons: {moved}")
    check(decisions[-1]["why"] == "calm", f"the last decision: {decisions[-1]}")
    table = lines(rack, "trigger")
    check(len(table) == 1 + len(rack.servers) and table[0].split()[-1] == "WHY" and
          all(row.split()[1] == "calm" for row in table[1:]), f"capy ctl trigger says {table}")


def test():
    result = os.path.join(OUT, "load.json")
    with Rack(args=("--threshold", str(THRESHOLD), "--httpd-args", "--service-sleep")) as rack:
        rack.run(CAPY, "load", "--connections", "4", "--requests", "200", rack.ip["s2"])
        check(moves(rack) == 0, "connections moved under the threshold")
        rack.run(CAPY, "load", "--connections", str(CONNECTIONS), "--seconds", str(LOAD_S),
                 "--us", str(SERVICE_US), "--json", result, rack.ip["s1"])
        until(lambda: at_rest(rack), "all servers are calm after the load")
        in_all = moves(rack)
        time.sleep(0.5)
        check(moves(rack) == in_all, "connections move without load")
        check_decisions(rack, in_all)
    with open(result) as f:
        load = json.load(f)
    print(f"{in_all} moves, answers by server: {load['servers']}")
    check(load["errors"] == 0, f"the clients saw errors: {load}")
    # An even third each is what a rack with cores of its own would come to.
    check(in_all >= CONNECTIONS // 4, "an overloaded server kept its connections")
    check(in_all <= MOVES_MAX, "connections go back and forth without end")
    least = min(load["servers"].get(s, 0) for s in rack.servers)
    check(least > load["requests"] / 20, "a server stood idle")


if __name__ == "__main__":
    main(test)
