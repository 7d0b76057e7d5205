"""A live rack for figures: the live tests' rack, with load on it and migrations at a rate, and what its
servers remember of each migration. Times in nanoseconds of the one monotonic clock."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

from harness import ROOT, Failed, Skip, need_root

sys.path.insert(0, os.path.join(ROOT, "tests", "rack"))

import rack as testing  # noqa: E402

TURN_S = 0.01
SAMPLES_KEPT = 65536  # per server
STEPS = ("prepare", "admit", "export", "import", "free")


class Rack:
    """A rack while the with block runs. stack: "ours", or "linux": servers on kernel sockets, moved by
    TCP_REPAIR."""

    def __init__(self, h, servers=2, clients=1, stack="ours", args=()):
        need_root()
        testing.CAPY, testing.OUT = h.capy, os.path.abspath(h.out)
        if stack != "ours":
            if "--stack" not in h.run(h.capy, "rack", "--help"):
                raise Skip("this version has no servers on kernel sockets")
            args = (*args, "--stack", stack)
        self.h = h
        self.rack = testing.Rack(servers=servers, clients=clients, args=tuple(map(str, args)),
                                 judged=h.quick)
        self.servers = self.rack.servers

    def __enter__(self):
        try:
            self.rack.__enter__()
        except testing.Failure as failure:
            raise Failed(str(failure)) from None
        return self

    def __exit__(self, *how):
        self.rack.__exit__(*how)

    def ask(self, member, cmd, **more):
        try:
            return self.rack.ask(member, cmd, **more)
        except (testing.Failure, OSError) as failure:
            raise Failed(f"{member}, {cmd}: {failure}") from None

    def status(self):
        return {s: self.ask(s, "status") for s in self.servers}

    def run(self, *argv, member="c1", timeout=120):
        """A program in a member's namespace, to its end: what it printed."""
        try:
            return self.rack.run(*map(str, argv), member=member, timeout=timeout)
        except testing.Failure as failure:
            raise Failed(str(failure)) from None

    def load(self, *options, member="c1", targets=None, name=None):
        """Starts `capy load` against the servers, in turn; finish() has its result. name: where a member
        has several."""
        return Load(self, member, options, targets or self.servers, name or member)

    def samples(self):
        """What the servers keep of their latest migrations, joined (see join)."""
        marks = []
        for server in self.servers:
            at, more = 0, True
            while more:
                page = self.ask(server, "samples", since=at)
                marks += page["samples"]
                at, more = page["next"], page["more"]
        return join(marks)


def by_stack(h, one):
    """({stack: what measures it}, why one is missing or None): ours, and Linux's where it can be."""
    stacks, missing = {"ours": lambda: one(h, "ours")}, None
    try:
        with Rack(h, stack="linux"):
            stacks["linux"] = lambda: one(h, "linux")
    except (Skip, Failed) as why:
        missing = str(why)
    return stacks, missing


def join(marks):
    """Migrations of which every step was seen at origin and target: {"steps": {name: ns}, "total": ns,
    "frozen_at": ns, "running_at": ns}. As `capy demo` does it."""
    by_id = {}
    for mark in marks:
        by_id.setdefault(mark["mig_id"], []).append(mark)
    joined = []
    for several in by_id.values():
        steps = dict.fromkeys(STEPS, 0)
        for m in several:
            steps[m["step"]] += m["duration_ns"]
        exports = [m["at_ns"] for m in several if m["step"] == "export"]
        imports = [m["at_ns"] + m["duration_ns"] for m in several if m["step"] == "import"]
        if len({m["step"] for m in several}) == len(STEPS) and max(imports) >= min(exports):
            joined.append({"steps": steps, "total": sum(steps.values()),
                           "frozen_at": min(exports), "running_at": max(imports)})
    return joined


class Load:
    """`capy load` in a client's namespace."""

    def __init__(self, live, member, options, targets, name):
        self.path = live.rack.path(f"load-{name}.json")
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.process = live.rack.client(
            live.h.capy, "load", "--json", self.path, *map(str, options),
            *(live.rack.ip[s] for s in targets), member=member, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)

    def stop(self):
        """Ends it before its time: through every process between us and it."""
        os.killpg(self.process.pid, signal.SIGTERM)

    def finish(self, timeout=180):
        """Its result, once it ends by itself. Errors are the caller's to look at."""
        try:
            _, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"capy load did not end within {timeout} s") from None
        try:
            with open(self.path, encoding="utf-8") as f:
                return json.load(f)
        except (OSError, ValueError):
            raise Failed(f"capy load left no result: {err.decode().strip()}") from None


class Migrations(threading.Thread):
    """Moves connections at a rate, from each server in proportion to what it has, to the least loaded
    one, until `limit` are done or the block ends."""

    def __init__(self, live, per_s, limit=None):
        super().__init__(daemon=True)
        self.live, self.per_s, self.limit = live, per_s, limit
        self.control = {s: testing.Control(live.rack.path(s + ".sock")) for s in live.servers}
        self.over = threading.Event()
        self.done, self.seconds, self.failure = 0, 0.0, None

    def __enter__(self):
        self.before = self._moved()
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        self.join()
        if self.failure and kind is None:
            raise Failed(f"migrating: {self.failure}")

    def wait(self, seconds):
        """True once `limit` are done."""
        self.join(seconds)
        return not self.is_alive()

    def _moved(self):
        status = {s: c.ask("status") for s, c in self.control.items()}
        self.connections = {s: r["connections"] for s, r in status.items()}
        return sum(r["migrations_out"] for r in status.values())

    def run(self):
        began = time.monotonic()
        try:
            while not self.over.is_set():
                self.done = self._moved() - self.before
                self.seconds = time.monotonic() - began
                if self.limit and self.done >= self.limit:
                    return
                self._begin(round(self.per_s * self.seconds) - self.done)
                self.over.wait(TURN_S)
        except (testing.Failure, OSError, ValueError) as failure:
            self.failure = failure

    def _begin(self, cnt):
        left = min(cnt, self.limit - self.done) if self.limit else cnt
        total = sum(self.connections.values())
        for server, connections in self.connections.items():
            share = -(-left * connections // total) if total and left > 0 else 0
            if share > 0:
                self.control[server].ask("migrate_n", count=share, target=None)
