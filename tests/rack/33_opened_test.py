#!/usr/bin/env python3
"""Connections that servers open move as well: transfers that s1 began end at s2, on the same
connections to a client that notices nothing, and their hashes are right."""

import json
import os
import subprocess

from client import serve, server
from rack import CAPY, OUT, Rack, check, finished, main, until
from transfers import make_file

MIB = 32
TRANSFERS = 4
DELAY_US = 2000  # so that much is under way


def start(rack, name, *argv):
    """`capy get` in place of the server's own program."""
    rack.steer("stop", name)
    return rack.client(CAPY, "get", *server(rack, name), "--json", "-", *argv, member=name,
                       stdout=subprocess.PIPE)


def has_come_so_far(rack, name, key, value):
    """Waits until its status says so; at first nobody answers."""
    def says():
        try:
            return rack.ask(name, "status")[key] == value
        except OSError:
            return False
    until(says, f"{key} of {name} is {value}")


def test():
    path = os.path.join(OUT, "file")
    wanted = make_file(path, MIB)
    gate = os.path.join(OUT, "gate")  # they last until all have moved
    if os.path.exists(gate):
        os.unlink(gate)
    with Rack(servers=2, wire=True) as rack:
        web = serve(rack, "c1", OUT, gate)
        rack.ask("switch", "fault", port="c1", delay_us=DELAY_US)
        taker = start(rack, "s2", "--arrivals", str(TRANSFERS))
        has_come_so_far(rack, "s2", "switch_alive", True)
        opener = start(rack, "s1", "--connections", str(TRANSFERS), web + "/file")
        has_come_so_far(rack, "s1", "connections", TRANSFERS)
        rack.ask("s1", "drain")
        left = json.loads(finished(opener, "s1 is empty, and its program ends")[0])
        with open(gate, "wb"):
            pass
        took = json.loads(finished(taker, "s2 has all of it")[0])
        check(left["moved_out"] == TRANSFERS and left["errors"] == 0, f"s1: {left}")
        check(took["answers"] == TRANSFERS and took["errors"] == 0, f"s2: {took}")
        check(took["sha256"] == wanted, f"s2: {took['sha256']}, {wanted} wanted")
    os.unlink(path)


if __name__ == "__main__":
    main(test)
