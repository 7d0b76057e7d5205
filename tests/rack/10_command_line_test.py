#!/usr/bin/env python3
"""A mistake in a command line or a rack file is one line on stderr and exit status 2; nothing is
left running or behind."""

import os
import subprocess

from rack import CAPY, OUT, check, main

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
    ["rack", "up", "--driver", "nonesuch"],
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
    ["load", "10.99.0.11", "--connections", "0"],
    ["demo", "extra"],
    ["demo", "--servers", "1"],
    ["demo", "--migrations", "-1"],
    ["switch"],
    ["switch", "--rack", "/nonexistent"],
    ["switch", "--nonesuch"],
    ["httpd"],
    ["httpd", "--rack", "/nonexistent", "--server", "s1"],
    ["httpd", "--nonesuch"],
    ["ctl", "--rack", "/nonexistent", "status"],
    ["ctl", "nonesuch"],
]

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
    ("\"s2\"; ip", "\"s1\"; ip"),   # two servers of one name
    ("port = \"s2\"", "port = \"s1\""),  # two servers behind one cable
    ("port = 80", "port = 0"),
    ("port = 80", "port = 65536"),
    ("port = 80", "port = \"eighty\""),
    ("port = 80", "port = 62000"),  # among the ports of migrated connections
    ("servers = (", "servers = [["),
    ("};\nservers", "}; switch: { };\nservers"),
]


def one_line(argv):
    p = subprocess.run([CAPY, *argv], capture_output=True, cwd=OUT, timeout=30)
    said = p.stderr.decode()
    check(p.returncode == 2, f"capy {argv}: exit status {p.returncode}, not 2: {said}")
    check(said.count("\n") == 1 and said.endswith("\n"), f"capy {argv}: not one line: {said!r}")
    check(p.stdout == b"", f"capy {argv}: says {p.stdout!r} on stdout")
    return said


def test():
    for argv in WRONG:
        one_line(argv)
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


if __name__ == "__main__":
    main(test)
