"""Crashes at a chosen step of the migration protocol: the switch loses one TCPMig message type, and
so holds the protocol there, while a program is killed."""

import hashlib
import json
import os
import subprocess
import threading

from rack import CAPY, OUT, Failure, check, explain, finished, until
from transfers import MIB, PATIENCE_S, Brake, make_file

FILE_MIB = 128  # half a minute of a transfer that is held back


class Transfer:
    """A download from s1, with the SHA-256 that it must have. It is slow until the test awaits its end: however busy
    the machine, what the test does happens under way. The client only listens: it asks by keepalive whether its
    server still lives."""

    def __init__(self, rack, mib=FILE_MIB):
        self.rack = rack
        self.path, self.got = os.path.join(OUT, "slow"), os.path.join(OUT, "got")
        self.wanted, self.digest = make_file(self.path, mib), hashlib.sha256()
        self.process = rack.client("curl", "-m", "300", "-sS", "--keepalive-time", "1", rack.url("/slow"),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.brake = Brake(self.process.stdout, open(self.got, "wb"), self.digest)
        self.begun()

    def begun(self):
        until(lambda: answering(self.rack, "s1"), "the transfer began")
        self.client = connections(self.rack, "s1")[0]["client"]

    def move(self, origin="s1", target="s2"):
        self.rack.ask(origin, "migrate", client=self.client, target=target)

    def must_succeed(self):
        err = self.end()
        check(self.process.returncode == 0, explain(self.process, err))
        check(self.digest.hexdigest() == self.wanted, "the transfer's SHA-256 is wrong")

    def must_fail(self):
        """Its owner died: a clean end, and nothing but a true beginning arrived."""
        self.end()
        check(self.process.returncode != 0, "the transfer outlived its owner")
        with open(self.got, "rb") as got, open(self.path, "rb") as sent:
            while piece := got.read(MIB):
                check(piece == sent.read(len(piece)), "wrong bytes arrived before the end")

    def end(self, seconds=PATIENCE_S):
        self.brake.release()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure(f"the transfer hangs for {seconds} s, at {self.brake.cnt} bytes") from None
        self.brake.join()
        return self.process.stderr.read()


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
        finished(self.process, "the load ends")
        check(self.process.returncode == 0, explain(self.process))
        with open(self.path, encoding="utf-8") as f:
            result = json.load(f)
        print(f"{result['requests']} requests, {result['errors']} errors")
        check(result["requests"] > 0 and result["errors"] == 0, f"clients noticed: {result}")


class Stream(Transfer):
    """Server-sent events from s1: a connection whose state fits one message, so that a lost
    CONN_STATE_ACK is the last one, and whose owner speaks often. It ends when the test has seen enough."""

    MORE = 50  # events when all is over

    def __init__(self, rack):
        self.rack, self.ids = rack, []
        self.process = rack.client("curl", "-m", "300", "-sSN", "--keepalive-time", "1",
                                   rack.url("/events?interval_ms=20&count=0"),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.begun()

    def read(self):
        for line in self.process.stdout:
            if line.startswith(b"id:"):
                self.ids.append(int(line.split()[1]))

    def must_be_whole(self):
        self.reader.join()
        check(self.ids == list(range(1, len(self.ids) + 1)), f"not every event once: {self.ids}")

    def must_succeed(self):
        enough = len(self.ids) + self.MORE
        until(lambda: len(self.ids) >= enough or self.process.poll() is not None, "the stream goes on")
        check(self.process.poll() is None, "the stream ended")
        self.process.terminate()
        self.must_be_whole()

    def must_fail(self):
        until(lambda: self.process.poll() is not None, "the stream ends with its owner", PATIENCE_S)
        check(self.process.returncode != 0, "the stream outlived its owner")
        self.must_be_whole()


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
    until(lost, "the protocol reached the step")


def release(rack):
    rack.ask("switch", "fault", port="all", clear=True)


def must_be_at_rest(rack, servers=None):
    """No migration is under way anywhere, no directory entry is left in between."""
    def at_rest():
        return all(st["migrating_out"] == 0 and st["migrating_in"] == 0 for st in
                   (rack.ask(s, "status") for s in servers or rack.servers)) and all(
                       e["phase"] != "PENDING" for e in rack.ask("switch", "entries")["entries"])
    until(at_rest, "every migration ended")
