"""Crashes at a chosen step of the migration protocol: the switch loses one TCPMig message type, and
so holds the protocol there, while a program is killed."""

import json
import os
import subprocess

from rack import CAPY, OUT, Failure, check, until
from transfers import PATIENCE_S, make_file

MIB = 1 << 20
SLOW = "16M"  # bytes per second of a transfer that shall last a few seconds
FILE_MIB = 48


class Transfer:
    """A slow download from s1, with the SHA-256 that it must have. The client only listens: it asks
    by keepalive whether its server still lives."""

    def __init__(self, rack, mib=FILE_MIB, rate=SLOW):
        self.rack = rack
        self.path = os.path.join(OUT, "slow")
        self.wanted = make_file(self.path, mib)
        with open(f"{OUT}/got", "wb"):
            pass  # curl leaves it alone when nothing arrives: what an earlier one got must be gone
        self.process = rack.client(
            "sh", "-c", f"curl -m 120 -sS --keepalive-time 1 --limit-rate {rate} "
            f"{rack.url('/slow')} -o {OUT}/got && sha256sum <{OUT}/got",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until(lambda: answering(rack, "s1"), 20, "the transfer began")
        self.client = connections(rack, "s1")[0]["client"]

    def move(self, origin="s1", target="s2"):
        self.rack.ask(origin, "migrate", client=self.client, target=target)

    def must_succeed(self):
        out, err = self.end()
        check(self.process.returncode == 0, f"the transfer failed: {err}")
        check(out.split()[0] == self.wanted, "the transfer's SHA-256 is wrong")

    def must_fail(self):
        """Its owner died: a quick, clean end, and nothing but a true beginning arrived."""
        _, err = self.end()
        check(self.process.returncode != 0, "the transfer outlived its owner")
        with open(f"{OUT}/got", "rb") as got, open(self.path, "rb") as sent:
            while piece := got.read(MIB):
                check(piece == sent.read(len(piece)), "wrong bytes arrived before the end")
        return err

    def end(self, seconds=PATIENCE_S // 4):
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure(f"the transfer hangs for {seconds} s") from None
        return out.decode(), err.decode()


class Asking:
    """Connections that last until they are told to end, however long a busy machine takes to load a program:
    there is always one to move."""

    CONNECTIONS, PER_SECOND = 4, 200

    def __init__(self, rack):
        self.path = os.path.join(OUT, "load.json")
        self.process = rack.client(CAPY, "load", rack.ip["s1"], "--connections", str(self.CONNECTIONS),
                                   "--rate", str(self.PER_SECOND), "--seconds", "0", "--json", self.path,
                                   stdout=subprocess.DEVNULL)

    def end(self):
        self.process.terminate()
        check(self.process.wait(20) == 0, "the load failed")
        with open(self.path, encoding="utf-8") as f:
            result = json.load(f)
        print(f"{result['requests']} requests, {result['errors']} errors")
        check(result["requests"] > 0 and result["errors"] == 0, f"clients noticed: {result}")


class Stream(Transfer):
    """Server-sent events from s1: a connection whose state fits one message, so that a lost
    CONN_STATE_ACK is the last one, and whose owner speaks often."""

    COUNT = 150

    def __init__(self, rack):
        self.rack = rack
        self.process = rack.client(
            "curl", "-m", "120", "-sSN", "--keepalive-time", "1",
            rack.url(f"/events?interval_ms=20&count={self.COUNT}"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until(lambda: answering(rack, "s1"), 20, "the stream began")
        self.client = connections(rack, "s1")[0]["client"]

    def ids(self, out):
        return [int(line.split()[1]) for line in out.splitlines() if line.startswith("id:")]

    def must_succeed(self):
        out, err = self.end()
        check(self.process.returncode == 0, f"the stream failed: {err}")
        check(self.ids(out) == list(range(1, self.COUNT + 1)), f"not every event once: {out}")

    def must_fail(self):
        out, _ = self.end()
        got = self.ids(out)
        check(self.process.returncode != 0, "the stream outlived its owner")
        check(got == list(range(1, len(got) + 1)), f"events out of order before the end: {got}")


def connections(rack, server):
    return rack.ask(server, "connections")["connections"]


def answering(rack, server):
    """The connections that the application has accepted and sent something on."""
    return [c for c in connections(rack, server) if c["bytes_out"] > 0]


def served(rack, client):
    """Whether the switch has passed on a segment of the connection's owner since it moved."""
    return any(e["served"] for e in rack.ask("switch", "entries")["entries"]
               if e["client"] == client)


def hold_at(rack, message):
    """From now on the switch loses every TCPMig message of this type."""
    rack.ask("switch", "fault", port="all", drop_type=message)


def await_held(rack):
    """Until a message was lost, so that the protocol stands at that step."""
    def lost():
        ports = rack.ask("switch", "ports")["ports"]
        return any(port.get("fault", {}).get("filtered", 0) for port in ports)
    until(lost, 20, "the protocol reached the step")


def release(rack):
    rack.ask("switch", "fault", port="all", clear=True)


def must_be_at_rest(rack, servers=None):
    """No migration is under way anywhere, no directory entry is left in between."""
    def at_rest():
        return all(st["migrating_out"] == 0 and st["migrating_in"] == 0 for st in
                   (rack.ask(s, "status") for s in servers or rack.servers)) and all(
                       e["phase"] != "PENDING" for e in rack.ask("switch", "entries")["entries"])
    until(at_rest, 15, "every migration ended")
