#!/usr/bin/env python3
"""One client port, two connections: to two servers, from the same address and port. Both move about, also to the
same server at the same time, and every answer is the right one's."""

import os
import subprocess

from crash import must_be_at_rest
from rack import OUT, Mover, Rack, check, main, moved, until

PORT = 40000
MOVES = 200

# Asks both servers by turns until stdin ends; each must give its own file, every time. How often it asked.
CLIENT = f"""
import select, socket, sys
def connect(server, path):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.settimeout(20)
    s.bind(("", {PORT}))
    s.connect((server, 80))
    with open(sys.argv[3] + path, "rb") as f:
        return s, s.makefile("rb"), path, f.read()
def ask(s, lines, path, wanted):
    s.sendall(f"GET {{path}} HTTP/1.1\\r\\nHost: rack\\r\\n\\r\\n".encode())
    check = lines.readline()
    assert check.split()[1] == b"200", check
    length = 0
    while (line := lines.readline()).strip():
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    assert lines.read(length) == wanted, path
both = [connect(sys.argv[1], "/one"), connect(sys.argv[2], "/two")]
print("ready", flush=True)
asked = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    for c in both:
        ask(*c)
    asked += 1
print(asked)
"""


def both_away(rack):
    """Both connections are in the directory at once, under one client's name."""
    entries = [e for e in rack.ask("switch", "entries")["entries"]
               if e["client"].endswith(f":{PORT}")]
    return {e["home"] for e in entries} == {f"{rack.ip[s]}:80" for s in ("s1", "s2")}


def test():
    for name, size in (("one", 3000), ("two", 20000)):
        with open(os.path.join(OUT, name), "wb") as f:
            f.write(os.urandom(size))
    with Rack(args=("--root", OUT)) as rack:
        client = rack.client("python3", "-c", CLIENT, rack.ip["s1"], rack.ip["s2"], OUT, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check(client.stdout.readline(), "both connections are open")
        with Mover(rack):
            until(lambda: both_away(rack), "both are in the directory")
            until(lambda: moved(rack) > MOVES, "they move")
        out, err = client.communicate("\n", timeout=30)
        check(client.returncode == 0, err)
        print(f"{moved(rack)} moves, {int(out)} answers of each server")
        check(int(out) > 100, "too few answers to tell")
        must_be_at_rest(rack)


if __name__ == "__main__":
    main(test)
