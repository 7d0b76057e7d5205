#!/usr/bin/env python3
"""However `capy rack up` ends, no process, namespace, cable or mount of it is left."""

import collections
import glob
import os
import signal
import socket
import subprocess
import time

from rack import CAPY, OUT, PATIENCE_S, Rack, check, main, until

EARLY_S = 0.1  # well before a rack is up
SIGINT_BIT = 1 << (signal.SIGINT - 1)


def processes():
    """Pids of all programs started from our binary, and their command lines."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/exe"):
        try:
            if os.path.samefile(path, CAPY):
                found[path.split("/")[2]] = open(os.path.dirname(path) + "/cmdline").read()
        except OSError:
            pass  # ended meanwhile
    return {pid: line for pid, line in found.items() if OUT in line}


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return None


def holders(pids):
    """Whose namespaces, and open descriptors of such, these processes have."""
    for pid in pids:
        yield from glob.glob(f"/proc/{pid}/ns/net") + glob.glob(f"/proc/{pid}/fd/*")


def namespaces(pids=("[0-9]*",)):
    """Network namespaces that any of these processes (all) or its open descriptors hold."""
    return {held for held in map(link, holders(pids)) if held and held.startswith("net:[")}


def devices():
    """Names alone: what others' devices are like may change at any time."""
    return {name for _, name in socket.if_nameindex()}


def mounts():
    with open("/proc/mounts", encoding="utf-8") as f:
        return collections.Counter(line.split()[1] for line in f)


def await_nothing(spaces, links, places):
    """Of the rack nothing is left. What others make and take away meanwhile is not of long life."""
    until(lambda: not processes(), lambda: f"no process left: {processes()}")
    until(lambda: not namespaces() & spaces, lambda: f"no network namespace left: {namespaces() & spaces}")
    until(lambda: not devices() - links, lambda: f"no cable left in the caller's namespace: {devices() - links}")
    until(lambda: not mounts() - places, lambda: f"no mount left: {mounts() - places}")


def end_by(number):
    links, places = devices(), mounts()
    with Rack() as rack:
        supervisor = rack.ask("rack", "status")["supervisor"]
        check(len(processes()) >= 5, "the rack's programs do not run")
        spaces = namespaces(processes()) - {link("/proc/self/ns/net")}
        check(len(spaces) >= 5, "the rack's namespaces are not there")
        if number == "supervisor":
            os.kill(supervisor, signal.SIGKILL)
        else:
            rack.process.send_signal(number)
        rack.process.wait(PATIENCE_S)
        await_nothing(spaces, links, places)


def minds_ctrl_c(process):
    """Its program has begun, and decides itself what SIGINT does: until then the kernel does."""
    with open(f"/proc/{process.pid}/status", encoding="utf-8") as f:
        masks = dict(line.split(":") for line in f)
    return any(int(masks[mask], 16) & SIGINT_BIT for mask in ("SigBlk", "SigCgt", "SigIgn"))


def interrupt_early():
    """Ctrl-C while the rack is being built ends it, before the command has begun or soon after."""
    p = subprocess.Popen([CAPY, "rack", "run", "--dir", os.path.join(OUT, "rack"), "--", "sleep",
                          "60"], start_new_session=True, stderr=subprocess.DEVNULL)
    until(lambda: minds_ctrl_c(p), "capy rack begins")
    time.sleep(EARLY_S)
    os.killpg(p.pid, signal.SIGINT)
    try:
        status = p.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        p.kill()
        status = None
    check(status == 128 + signal.SIGINT, f"Ctrl-C while it starts: exit status {status}")
    until(lambda: not processes(), lambda: f"no process left: {processes()}")


def test():
    interrupt_early()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, "supervisor"):
        end_by(number)


if __name__ == "__main__":
    main(test)
