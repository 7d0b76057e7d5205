#!/usr/bin/env python3
"""A mistake in a command line or a rack file is one line on stderr and exit status 2; nothing is
left running or behind."""

import json
import os
import shutil
import subprocess
import tempfile

from rack import CAPY, OUT, PATIENCE_S, Rack, check, main, until

WRONG = [
    [],
    ["nonesuch"],
    ["rack"],
    ["rack", "nonesuch"],
    ["rack", "up", "--servers", "0"],
    ["rack", "up", "--servers", "65"],
    ["rack", "up", "--servers", "x"],
    ["rack", "up", "--clients"],
    ["rack", "up", "extra"],
    ["rack", "up", "--root", "/nonexistent"],
    ["rack", "up", "--dir", "/proc/nonexistent"],
    ["rack", "up", "--dir", "/tmp/" + 100 * "x"],
    ["rack", "up", "--dir", ""],
    ["rack", "up", "--dir", "/etc/passwd"],
    ["rack", "up", "--capture", "/etc/passwd"],
    ["rack", "up", "--root", "/etc/passwd"],
    ["rack", "up", "--threshold", "-1"],
    ["rack", "up", "--threshold"],
    ["rack", "up", "--conn-max", "4194305"],
    ["rack", "up", "--driver", "nonesuch"],
    ["rack", "up", "--plane", "xdp", "--capture", "/tmp"],
    ["rack", "up", "--plane", "xdp", "--record", "/tmp"],
    ["rack", "up", "--wire", "--driver", "tap"],
    ["rack", "run", "true"],
    ["rack", "run", "--", "/nonexistent"],
    ["rack", "exec", "--dir", "/nonexistent", "c1", "true"],
    ["rack", "exec"],
    ["rack", "kill", "--dir", "/nonexistent", "s1"],
    ["rack", "status", "s1"],
    ["load"],
    ["load", "10.99.0.11", "--seconds", "1x"],
    ["load", "10.99.0.11", "--nonesuch"],
    ["load", "10.99.0.999"],
    ["load", "10.99.0.11:99999"],
    ["load", "[fd99::11]:99999"],
    ["load", "[fd99::11"],
    ["load", "fd99::11::80"],
    ["load", "10.99.0.11", "--connections", "0"],
    ["load", "127.0.0.1", "--rate", "10x"],
    ["load", "127.0.0.1", "--rate", "1k", "--arrivals", "nonesuch"],
    ["load", "127.0.0.1", "--rate", "1k", "--skew", "zipf"],
    ["load", "127.0.0.1", "--rate", "1k", "--weights", "1,2"],
    ["load", "127.0.0.1", "--rate", "1k", "--shift", "2:rate=2x"],
    ["load", "127.0.0.1", "--skew", "uniform"],
    ["load", "127.0.0.1", "--sweep", "2k..1k/1k"],
    ["load", "127.0.0.1", "--kernel", "--device", "lo"],
    ["load", "127.0.0.1", "--device", "nonesuch"],
    ["load", "127.0.0.1", "--device", "nonesuch", "--address", "127.0.0.1/8"],
    ["load", "127.0.0.1", "--json", "/nonexistent/result"],
    ["load", "127.0.0.1", "--csv", "/nonexistent/series"],
    ["load", "127.0.0.1", "--marks", "/tmp"],
    ["load", "127.0.0.1", "--marks", "/nonexistent", "--interval", "10ms"],
    ["get"],
    ["get", "10.99.0.11/"],
    ["get", "--device", "eth0", "10.99.0.11/"],
    ["get", "--device", "eth0", "--address", "10.99.0.101", "10.99.0.11/"],
    ["get", "--device", "nonesuch", "--address", "10.99.0.101/24", "--driver", "af_xdp",
     "10.99.0.11/"],
    ["get", "--device", "eth0", "--address", "10.99.0.101/24", "s1/"],
    ["get", "--device", "eth0", "--address", "10.99.0.101/24", "--put", "/nonexistent", "10.0.0.1/"],
    ["get", "--rack", "/nonexistent", "--server", "s1", "10.99.0.11/"],
    ["get", "--repeat", "0", "10.99.0.11/"],
    ["demo", "extra"],
    ["demo", "--servers", "1"],
    ["demo", "--migrations", "-1"],
    ["switch"],
    ["switch", "--wire"],
    ["switch", "--rack", "/dev/null", "--plane", "p4"],
    ["switch", "--rack", "/dev/null", "--xdp-mode", "generic"],
    ["switch", "--rack", "/dev/null", "--plane", "xdp", "--xdp-mode", "fast"],
    ["switch", "--rack", "/nonexistent"],
    ["switch", "--nonesuch"],
    ["httpd"],
    ["httpd", "--rack", "/nonexistent", "--server", "s1"],
    ["httpd", "--nonesuch"],
    ["httpd", "--rack", "/dev/null", "--server", "s1", "--arrival-us", "1000001"],
    ["httpd", "--rack", "/", "--server", "s1"],
    ["httpd", "--rack", "/dev/null", "--server", "s1"],
    ["switch", "--rack", "/"],
    ["ctl", "--rack", "/nonexistent", "status"],
    ["ctl", "nonesuch"],
]

SUBCOMMANDS = ["switch", "httpd", "ctl", "rack", "load", "get", "demo", "replay", "sim"]

# What a good rack file looks like, and how each line of it can go wrong.
GOOD = """rack: { key = "000102030405060708090a0b0c0d0e0f"; run_dir = "%s"; };
switch: { ip = "10.99.0.254"; client_ports = ( "c1" ); };
servers = ( { name = "s1"; ip = "10.99.0.11"; device = "eth0"; port = "s1"; },
            { name = "s2"; ip = "10.99.0.12"; device = "eth0"; port = "s2"; } );
services = ( { name = "http"; port = 80; } );
"""
BREAKS = [
    ("key = \"000102030405060708090a0b0c0d0e0f\"", "key = \"short\""),
    ("key = \"000102030405060708090a0b0c0d0e0f\"", "nonesuch = 1"),
    ("10.99.0.254", "10.99.0.11"),  # the switch where a server is
    ("10.99.0.254", "not an address"),
    ("10.99.0.12", "10.99.0.11"),   # two servers at one address
    ("10.99.0.12\";", "10.99.0.12\"; ip6 = \"fd99::12\";"),  # where the switch has none
    ("\"s2\"; ip", "\"s1\"; ip"),   # two servers of one name
    ("port = \"s2\"", "port = \"s1\""),  # two servers behind one cable
    ("port = 80", "port = 0"),
    ("port = 80", "port = 65536"),
    ("port = 80", "port = \"eighty\""),
    ("port = 80", "port = 62000"),  # among the ports of migrated connections
    ("servers = (", "servers = [["),
    ("};\nservers", "}; switch: { };\nservers"),
]


NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]

# Asked of a rack that runs.
WRONG_CTL = [
    ["nonesuch"],
    ["--nonesuch"],
    ["servers", "extra"],
    ["connections", "s9"],
    ["counters", "s9"],
    ["trigger", "extra"],
    ["decisions", "s9"],
    ["migrate"],
    ["migrate", "10.99.0.101:1"],
    ["migrate", "10.99.0.101:1", "s9"],
    ["migrate", "[fd99::101]:1"],
    ["migrate", "-n"],
    ["migrate", "-n", "x"],
    ["migrate", "-n", "1", "--to", "s9"],
    ["drain"],
    ["drain", "s9"],
    ["undrain", "s9"],
    ["fault"],
    ["fault", "all"],
    ["fault", "all", "lose_ppm=1"],
    ["fault", "all", "loss_ppm=x"],
    ["fault", "s9", "loss_ppm=1"],
]
SHOWN_AS_JSON = ["servers", "connections", "entries", "ports", "counters", "trigger"]


def one_line(argv, before=(), capy=CAPY, cwd=OUT):
    p = subprocess.run([*before, capy, *argv], capture_output=True, cwd=cwd, timeout=PATIENCE_S)
    said = p.stderr.decode()
    check(p.returncode == 2, f"capy {argv}: exit status {p.returncode}, not 2: {said}")
    check(said.count("\n") == 1 and said.endswith("\n"), f"capy {argv}: not one line: {said!r}")
    check(p.stdout == b"", f"capy {argv}: says {p.stdout!r} on stdout")
    return said


def helps(*argv):
    p = subprocess.run([CAPY, *argv], capture_output=True, cwd=OUT, timeout=PATIENCE_S)
    check(p.returncode == 0 and p.stdout.startswith(b"usage: capy") and p.stderr == b"",
          f"capy {argv}: no help: exit status {p.returncode}, {p.stderr!r}")


def without_privilege(path):
    """As nobody, from a place that nobody can read: ours may lie in root's home."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        capy = shutil.copy(CAPY, place)
        conf = shutil.copyfile(path, os.path.join(place, "rack.conf"))
        for argv in (["rack", "up"], ["rack", "run", "--", "true"], ["demo"]):
            said = one_line(argv, NOBODY, capy, place)
            check("root" in said, f"capy {argv}: no remedy: {said}")
        for argv in (["switch", "--rack", conf], ["httpd", "--rack", conf, "--server", "s1"]):
            one_line(argv, NOBODY, capy, place)


def with_a_rack():
    with Rack() as rack:
        conf = rack.path("rack.conf")
        roles = {n["name"]: n["role"] for n in rack.ask("rack", "status")["nodes"]}
        check(roles == {"switch": "switch", "s1": "server", "s2": "server", "s3": "server", "c1": "client"},
              f"who is what: {roles}")
        for argv in WRONG_CTL:
            one_line(["ctl", "--rack", conf, *argv])
        for command in SHOWN_AS_JSON:
            p = subprocess.run([CAPY, "ctl", "--rack", conf, "--json", command],
                               capture_output=True, check=True, timeout=PATIENCE_S)
            check(p.stdout.count(b"\n") == 1, f"capy ctl --json {command}: not one line")
            json.loads(p.stdout)
        said = one_line(["rack", "up", "--dir", rack.dir])
        check("--dir" in said, f"a rack in a directory in use: no remedy: {said}")
        for member, argv in (("switch", ["switch", "--rack", conf]),
                             ("s1", ["httpd", "--rack", conf, "--server", "s1"])):
            said = one_line(argv, [CAPY, "rack", "exec", "--dir", rack.dir, member, "--"])
            check("already" in said, f"a second {member}: not said why: {said}")
        in_c1 = [CAPY, "rack", "exec", "--dir", rack.dir, "c1", "--"]  # nothing can leave from there
        said = one_line(["load", "203.0.113.1", "--seconds", "1"], in_c1)
        check("--routed" in said, f"a target behind a router: no remedy: {said}")
        for s in rack.servers:
            until(lambda s=s: rack.ask(s, "status")["switch_alive"], f"{s} was disturbed")


def test():
    for argv in WRONG:
        one_line(argv)
    for subcommand in SUBCOMMANDS:
        helps(subcommand, "--help")
    for argv in (["up", "--help"], ["exec", "-h"], ["run", "--servers", "2", "--help"]):
        helps("rack", *argv)
    good = GOOD % OUT
    path = os.path.join(OUT, "broken.conf")
    for old, new in BREAKS:
        check(old in good, f"nothing to break: {old}")
        with open(path, "w") as f:
            f.write(good.replace(old, new, 1))
        for argv in (["switch", "--rack", path], ["httpd", "--rack", path, "--server", "s1"]):
            said = one_line(argv)
            check("broken.conf" in said, f"{new}: the file is not named: {said}")
    with open(path, "w") as f:
        f.write(good)
    said = one_line(["httpd", "--rack", path, "--server", "nonesuch"])
    check("nonesuch" in said, f"the unknown server is not named: {said}")
    one_line(["httpd", "--rack", path, "--server", "s1", "--port", "62000"])
    without_privilege(path)
    with_a_rack()


if __name__ == "__main__":
    main(test, "setpriv")
