#!/usr/bin/env python3
"""Some of the live tests with servers on kernel sockets: drains, the service address, a switch that dies; and
what such a server says where it cannot start."""

import os
import subprocess

from rack import CAPY, OUT, Rack, another, check, finished, main, skip, until

TESTS = ("31_drain", "34_vip", "42_switch_crash")


def built():
    """False where the gate before the kernel's TCP was left out of the build."""
    p = subprocess.run([CAPY, "rack", "run", "--stack", "linux", "--dir", os.path.join(OUT, "rack"), "--", "true"],
                       capture_output=True)
    return b"install clang and bpftool" not in p.stderr


def refused(rack, server, *before, more=(), says):
    """The server's program ends at once, with one line that says this."""
    p = rack.client("sh", "-c", "exec " + " ".join([*before, CAPY, "httpd", "--rack", rack.path("rack.conf"),
                                                    "--server", server, "--stack", "linux", *more]),
                    member=server, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _, err = finished(p, f"{server} is refused")
    err = err.decode().strip()
    check(p.returncode == 2 and len(err.splitlines()) == 1, f"exit status {p.returncode}: {err}")
    check(all(word in err for word in says), f"{err} does not say {says}")
    print(err, flush=True)


def remedies():
    with Rack(servers=2, args=("--stack", "linux,capy")) as rack:
        for server in rack.servers:
            rack.steer("stop", server)
        refused(rack, "s2", says=("does not have the address 10.99.0.12", "ip addr add 10.99.0.12/24 dev eth0"))
        refused(rack, "s1", "setpriv", "--bounding-set", "-net_admin", says=("CAP_NET_ADMIN", "root"))
        refused(rack, "s1", "setpriv", "--bounding-set", "-net_raw", says=("CAP_NET_RAW", "root"))
        refused(rack, "s1", more=("--record", os.path.join(OUT, "no")), says=("--record",))
        rack.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter", member="s1")
        refused(rack, "s1", says=("rp_filter", "sysctl"))
        rack.run("sh", "-c", "echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter", member="s1")
        check(b"bpf" not in rack.run("tc", "filter", "show", "dev", "eth0", "ingress", member="s1"),
              "a server that ended left its gate behind")
        rack.steer("start", "s1")
        until(lambda: rack.ask("s1", "status")["switch_alive"], "s1 is back")
        # What a killed one leaves, the next one takes over.
        rack.steer("kill", "s1")
        rack.steer("start", "s1")
        until(lambda: rack.ask("s1", "status")["switch_alive"], "s1 is back again")
        check(len(rack.run("curl", "-sS", "-m", "60", rack.url("/synthetic?bytes=5"))) == 5, "s1 answers")


def test():
    if not built():
        skip("--stack linux is not built: needs clang and bpftool")
    remedies()
    for name in TESTS:
        another(name, CAPY_STACK="linux", CAPY_BRIEF="1")


if __name__ == "__main__":
    main(test, "curl", "setpriv", "tc")
