#!/usr/bin/env python3
"""kill -9 of the target at every step of a migration. Before the commit, and after it as long as
the target has sent nothing, the origin keeps the connection and the client notices nothing; later the
connection ends with its owner, as any server's would."""

import subprocess

from crash import (Stream, Transfer, await_held, connections, hold_at, must_be_at_rest,
                   release, served)
from rack import IPV4, IPV6, IPV6_ONLY, OUT, Rack, check, each, finished, main, until

# One request, a line on stdout, a pause until a line on stdin, another request on the connection.
ASK_TWICE = """
import http.client, sys
c = http.client.HTTPConnection(sys.argv[1], timeout=90)
for _ in range(2):
    c.request("GET", "/synthetic?bytes=5&seed=1")
    print(c.getresponse().read().hex(), flush=True)
    sys.stdin.readline()
"""


def crash_at(rack, message, survives):
    print(f"target killed while {message} is lost", flush=True)
    transfer = Transfer(rack) if survives else Stream(rack)
    hold_at(rack, message)
    transfer.move()
    await_held(rack)
    if not survives:
        until(lambda: served(rack, transfer.client), "the target served the connection")
    rack.steer("kill", "s2")
    release(rack)
    if survives:
        transfer.must_succeed()
    else:
        transfer.must_fail()
    must_be_at_rest(rack, ["s1", "s3"])


def crash_unserved(rack):
    """The commit is done, but the idle connection's new owner dies before it has said a word."""
    print("target killed after the commit, before its first segment", flush=True)
    client = rack.client("python3", "-c", ASK_TWICE, rack.host(), stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
    first = client.stdout.readline()
    name = connections(rack, "s1")[0]["client"]
    hold_at(rack, "CONN_STATE_ACK")
    rack.ask("s1", "migrate", client=name, target="s2")
    await_held(rack)
    check(not served(rack, name), "an idle connection's new owner spoke unasked")
    rack.steer("kill", "s2")
    release(rack)
    must_be_at_rest(rack, ["s1", "s3"])
    client.stdin.write(b"\n\n")
    client.stdin.flush()
    second = client.stdout.readline()
    check(first and second == first, f"answers before and after: {first!r}, {second!r}")
    finished(client, "the client ends")
    check(client.returncode == 0, "the client failed")


def every_step(version):
    for message, survives in (("PREPARE_MIG", True), ("PREPARE_MIG_ACK", True),
                              ("CONN_STATE", True), ("CONN_STATE_ACK", False)):
        with Rack(args=("--root", OUT), version=version, wire=True) as rack:
            crash_at(rack, message, survives)


def unserved(version):
    with Rack(version=version, wire=True) as rack:
        crash_unserved(rack)


def test():
    each((IPV4,), every_step)
    each((IPV4, IPV6, IPV6_ONLY), unserved)


if __name__ == "__main__":
    main(test, "curl", "sha256sum")
