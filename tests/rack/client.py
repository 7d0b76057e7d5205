"""Our stack in the client role: `capy get` in a member's namespace, and a web server on the kernel's
sockets for it to ask."""

import json
import os
import sys

from rack import CAPY, check, until

WEB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "web.py")
WEB_PORT = 8000
ADDRESS = {f"c{i}": f"10.99.0.{100 + i}" for i in range(1, 10)}


def host(member):
    """Options that make `capy get` a host in no rack, on a client's device."""
    return ["--device", "eth0", "--address", ADDRESS[member] + "/24"]


def server(rack, name):
    """Options that make `capy get` a server of the rack; its own program must be stopped."""
    return ["--rack", rack.path("rack.conf"), "--server", name]


def get(rack, member, *argv):
    """Runs it to its end; what it reports."""
    return json.loads(rack.run(CAPY, "get", *host(member), "--json", "-", *argv, member=member))


def serve(rack, member, directory, *gate):
    """A kernel's web server at a client; its address once it listens."""
    process = rack.client(sys.executable, WEB, ADDRESS[member], str(WEB_PORT), directory, *gate,
                          member=member)
    listening = f"{WEB_PORT:04X} 00000000:0000 0A"

    def listens():
        check(process.poll() is None, f"the web server at {member} ended")
        with open(f"/proc/{process.pid}/net/tcp", encoding="ascii") as f:
            return listening in f.read()

    until(listens, f"the web server at {member} listens")
    return f"{ADDRESS[member]}:{WEB_PORT}"
