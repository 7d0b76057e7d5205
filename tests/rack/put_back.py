"""Frames of clients that servers put back on the wire, or relayed, because their connection was elsewhere: each
is followed from hop to hop by its time to live. That is all that may lower it in a rack, so a frame
with less than it began with must have been given to the server that sends it on, with one more."""

import collections

from rack import check

BEGINS_AT = 64  # TTL or hop limit: Linux's, and ours
INBOUND = 1  # at a port of the switch: from the cable


def hops_left(frame):
    return int((frame.ttl or frame.hops).split("|")[0])


class Hops:
    def __init__(self, scene):
        self.scene = scene
        self.sent_on = collections.Counter()  # (port, frame, hops left): from that server
        self.given = collections.Counter()  # likewise: to that server
        self.by_server = collections.Counter()

    def take(self, port, frames):
        """In the order of time."""
        for f in frames:
            if not f.seq or "|" in f.seq or not (f.ttl or f.hops):
                continue  # no TCP, or an ICMP error that quotes it
            left, what = hops_left(f), (f.ip4 or f.ip6, f.port, f.seq, f.ack, f.len, f.id)
            inbound = int(f.direction, 0) & 3 == INBOUND if f.direction else f.mac in self.scene.theirs
            if left >= BEGINS_AT:
                check(left == BEGINS_AT, f"{port}: frame {f.number} has {left} hops left")
            elif inbound:
                self.sent_on[port, what, left] += 1
                self.by_server[port] += 1
            if not inbound:
                self.given[port, what, left] += 1

    def judge(self):
        """How many there were."""
        for (port, what, left), times in self.sent_on.items():
            check(port.startswith("s"), f"{port} sent a frame on: {what}")
            check(self.scene.cut or self.given[port, what, left + 1] >= times,
                  f"{port} sent on {times} times with {left} hops left what it was never given so often: {what}")
        for server, counted in self.scene.counted.items():
            check(self.by_server[server] <= counted,
                  f"{server} counts {counted} frames put back or relayed, but sent {self.by_server[server]}")
        return sum(self.by_server.values())
