#!/usr/bin/env python3
"""The loader of the XDP plane ends, is killed, and starts again, under traffic: the plane forwards and moves
connections meanwhile, no frame is lost, and the new loader goes on with the same directory."""

import subprocess

from crash import Asking, Transfer, must_be_at_rest
from rack import OUT, Mover, Rack, check, finished, main, moved, need_xdp_plane, until

PORT = 5000

# Numbered datagrams until stdin ends; how many.
SEND = f"""
import select, socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sent = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    s.sendto(sent.to_bytes(4, "big"), (sys.argv[1], {PORT}))
    sent += 1
    time.sleep(0.002)  # a device queues some hundred: a core may be kept from it for as long
print(sent)
"""

# The numbers that arrive, until one is awaited for two seconds in vain after stdin ended.
RECEIVE = f"""
import select, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
s.bind(("", {PORT}))
print("ready", flush=True)
seen, s_ends = set(), False
while True:
    ready = select.select([s] if s_ends else [s, sys.stdin], [], [], 2)[0]
    if s in ready:
        seen.add(s.recv(64))
    elif s_ends:
        break
    s_ends = s_ends or sys.stdin in ready
print(len(seen))
"""


class Count:
    """Datagrams from c1 to c2, all the while."""

    def __init__(self, rack):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.receiver = rack.client("python3", "-c", RECEIVE, member="c2", **pipes)
        check(self.receiver.stdout.readline(), "the receiver is ready")
        self.sender = rack.client("python3", "-c", SEND, rack.ip["c2"], member="c1", **pipes)

    def end(self):
        sent = int(finished(self.sender, "the sender ends", "\n")[0])
        received = int(finished(self.receiver, "the receiver ends", "\n")[0])
        print(f"{sent} datagrams sent, {received} received")
        check(sent > 100, "too few datagrams to tell")
        check(sent == received, f"{sent - received} frames were lost")


def flows(rack):
    return {(e["client"], e["home"]): e["epoch"] for e in rack.ask("switch", "entries")["entries"]}


def down_and_up(rack, how, transfer):
    """The loader ends; the plane works without it; a new one starts."""
    boot, before = rack.ask("switch", "status")["boot_id"], flows(rack)
    before.pop((transfer.client, f"{rack.ip['s1']}:80"), None)  # which may end meanwhile
    check(before, "connections are away from home")
    rack.steer(how, "switch")
    count = moved(rack)
    until(lambda: moved(rack) > count + 20, "connections move while no loader runs")
    rack.steer("start", "switch")
    status, after = rack.ask("switch", "status"), flows(rack)
    check(status["boot_id"] == boot and not status["learning"], f"it began anew: {status}")
    for flow, epoch in before.items():
        check(after.get(flow, 0) >= epoch, f"{flow} was known at epoch {epoch}: {after}")
    count = moved(rack)
    until(lambda: moved(rack) > count + 20, "connections move under the new loader")


def test():
    with Rack(clients=2, args=("--root", OUT, "--plane", "xdp")) as rack:
        transfer, asking, count = Transfer(rack), Asking(rack), Count(rack)
        with Mover(rack):
            until(lambda: len(flows(rack)) >= asking.CONNECTIONS, "connections have moved")
            down_and_up(rack, "stop", transfer)
            down_and_up(rack, "kill", transfer)
            count.end()
            asking.end()
        transfer.must_succeed()
        must_be_at_rest(rack)


def run():
    need_xdp_plane()
    test()


if __name__ == "__main__":
    main(run, "curl", "sha256sum")
