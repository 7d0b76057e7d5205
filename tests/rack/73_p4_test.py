#!/usr/bin/env python3
"""A rack whose switch is the P4 program on bmv2's simple_switch, filled and swept by switch/p4/control.py: a
client's connection moves between two requests, over IPv4 and IPv6 and to the service address; then many, under
a small load."""

import json
import os
import re
import subprocess
import sys

from rack import (CAPY, HAS_IPV6, IPV4, IPV6, OUT, PLANE, ROOT, Mover, Rack, address, check, finished, main,
                  moved, skip, until)

CONTROL = os.path.join(ROOT, "switch", "p4", "control.py")
PROGRAM = os.path.join(os.path.dirname(os.path.dirname(CAPY)), "switch", "p4", "capy_v1model.json")
PATIENCE_S = 60  # bmv2 takes milliseconds for a frame, and its command line seconds to begin
VIP = address(IPV4, 100)  # as `capy rack up --vip` gives it
# One connection: its port; then for each line of input who answered a request on it.
CLIENT = """
import http.client, sys
c = http.client.HTTPConnection(sys.argv[1], 80, timeout=60)
c.connect()
sock = c.sock
print(sock.getsockname()[1], flush=True)
for line in sys.stdin:
    c.request("GET", "/synthetic?bytes=20000&seed=7")
    answer = c.getresponse()
    body = answer.read()
    print(answer.getheader("X-Capy-Server"), len(body), c.sock is sock, flush=True)
"""


def control(rack, command):
    """switch/p4/control.py at the switch, to its end; what it says."""
    return rack.run(sys.executable, CONTROL, command, rack.path("rack.conf"), member="switch",
                    timeout=PATIENCE_S).decode()


def is_ready(status):
    return status["switch_alive"] and not status["switch_learning"]


def start_p4(rack):
    """In place of the switch's program, as an operator would; its directory has two levels."""
    rack.steer("stop", "switch")
    with open(rack.path("rack.conf"), "r+", encoding="utf-8") as f:
        text, cnt = re.subn(r"levels = 4", "levels = 2", f.read())
        check(cnt == 1, "the rack file is not as it was")
        f.seek(0)
        f.write(text)
    devices, program = control(rack, "command").splitlines()
    rack.run("sh", "-ec", devices, member="switch")
    log = open(os.path.join(OUT, "simple_switch.log"), "wb")
    rack.client("sh", "-c", "exec " + program.replace("capy_v1model.json", PROGRAM), member="switch",
                stdout=log, stderr=log)
    run = rack.client(sys.executable, CONTROL, "run", rack.path("rack.conf"), member="switch",
                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = run.stdout.readline()
    check(said.startswith("the switch is up: 2 servers, 1 client ports"), f"control.py run: {said}")
    for server in rack.servers:
        until(lambda: is_ready(rack.ask(server, "status")), f"{server} hears the switch")


def client_tcp(rack):
    """What the client's TCP counts."""
    lines = rack.run("grep", "^Tcp:", "/proc/net/snmp").decode().splitlines()
    return dict(zip(lines[0].split()[1:], map(int, lines[1].split()[1:])))


def ask(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline().split()


def one_moves(rack, version):
    process = rack.client(sys.executable, "-c", CLIENT, address(version, 11), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True)
    port = process.stdout.readline().strip()
    host = address(version, 101) if version == IPV4 else f"[{address(version, 101)}]"
    for target in (None, "s2", "s1"):
        if target:
            rack.run(CAPY, "ctl", "--rack", rack.path("rack.conf"), "migrate", f"{host}:{port}", target,
                     member="switch", timeout=PATIENCE_S)
        answer, target = ask(process), target or "s1"
        check(answer == [target, "20000", "True"], f"{version}, moved to {target}: {answer}")
        if target == "s2":
            said = control(rack, "show")
            check(re.search(r"entry .*:%s > .*:80 SETTLED epoch 1 owner s2:\d+ from s1:80 served" % port, said),
                  f"no such entry: {said}")
    process.stdin.close()
    process.wait(PATIENCE_S)


def one_of_the_vip_moves(rack):
    process = rack.client(sys.executable, "-c", CLIENT, VIP, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True)
    port = process.stdout.readline().strip()
    born, *rest = ask(process)
    check(rest == ["20000", "True"], f"the service address: {born} {rest}")
    target = "s2" if born == "s1" else "s1"
    rack.run(CAPY, "ctl", "--rack", rack.path("rack.conf"), "migrate", f"{address(IPV4, 101)}:{port}", target,
             member="switch", timeout=PATIENCE_S)
    answer = ask(process)
    check(answer == [target, "20000", "True"], f"the service address, moved to {target}: {answer}")
    said = control(rack, "show")
    check(re.search(r"entry .*:%s > %s:80 SETTLED epoch 2 owner %s:\d+ from %s:\d+ served"
                    % (port, VIP, target, born), said), f"no such entry: {said}")
    process.stdin.close()
    process.wait(PATIENCE_S)


def many_move(rack):
    """As many requests as this switch lets through, until their connections have moved."""
    path, before = os.path.join(OUT, "load.json"), moved(rack)
    load = rack.client(CAPY, "load", rack.ip["s1"], rack.ip["s2"], "--connections", "4", "--seconds", "0",
                       "--timeout-ms", str(1000 * PATIENCE_S), "--json", path,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with Mover(rack, pause_s=0.5):
        until(lambda: moved(rack) - before >= 8, "connections move", 2 * PATIENCE_S)
    load.terminate()
    _, err = finished(load, "the load ends", seconds=2 * PATIENCE_S)
    with open(path, encoding="utf-8") as f:
        result = json.load(f)
    check(load.returncode == 0 and result["errors"] == 0 and result["requests"] > 0,
          f"clients noticed: {result} {err.decode()}")


def test():
    if PLANE != "user":
        skip("is of a plane of its own")
    if not os.path.exists(PROGRAM):
        skip("built without p4c-bm2-ss; install p4c and build again")
    with Rack(servers=2, judged=False, args=("--vip", "maglev")) as rack:
        start_p4(rack)
        before = client_tcp(rack)
        for version in (IPV4, IPV6) if HAS_IPV6 else (IPV4,):
            one_moves(rack, version)
        one_of_the_vip_moves(rack)
        many_move(rack)
        after = client_tcp(rack)
        check(after["EstabResets"] == before["EstabResets"], f"a reset: {after}")
        check(after["InErrs"] == 0 and after["InCsumErrors"] == 0, f"frames that are wrong: {after}")
        said = control(rack, "show")
        settled = int(re.search(r"count entries_settled (\d+)", said).group(1))
        check(settled >= moved(rack), f"{moved(rack)} moves: {said}")
        print(f"{settled} moves, {after['RetransSegs'] - before['RetransSegs']} segments sent again")


if __name__ == "__main__":
    main(test, "simple_switch", "simple_switch_CLI")
