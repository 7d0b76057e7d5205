#!/usr/bin/env python3
"""The XDP plane where a device has no native XDP (a bridge): generic XDP on all devices, and all works; a
new loader takes it over as what it is; who insists on native mode gets it, or is told and changes nothing.
And what the plane cannot do (inject faults, capture, record) is refused in one line."""

import json
import os
import subprocess

from crash import Transfer, must_be_at_rest
from rack import CAPY, OUT, PATIENCE_S, Mover, Rack, check, main, moved, need_xdp_plane, until

DEVICE = "none"  # another port for clients; in the client's own namespace, a server's
GENERIC = 2  # as the kernel numbers what ip shows
OWN = """rack: { key = "000102030405060708090a0b0c0d0e0f"; run_dir = "%s"; };
switch: { ip = "10.98.0.254"; client_ports = ( "eth0" ); };
servers = ( { name = "s1"; ip = "10.98.0.11"; device = "eth0"; port = "none"; } );
services = ( { name = "http"; port = 80; } );
"""


def modes(rack):
    return {p["port"]: p["driver"] for p in rack.ask("switch", "ports")["ports"]}


def add_device(rack):
    """A port whose device can only do generic XDP."""
    rack.run("ip", "link", "add", DEVICE, "type", "bridge", member="switch")
    rack.run("ip", "link", "set", DEVICE, "up", member="switch")
    path = rack.path("rack.conf")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    check('client_ports = ( "c1" )' in text, "the rack file is not as it was")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace('client_ports = ( "c1" )', f'client_ports = ( "c1", "{DEVICE}" )'))


def refused(rack, text, *args, conf="own.conf"):
    """One line that says so. In the client's namespace, where nobody else has a switch."""
    p = subprocess.run([CAPY, "rack", "exec", "--dir", rack.dir, "c1", "--", CAPY, "switch", "--rack",
                        os.path.join(OUT, conf), "--plane", "xdp", *args],
                       capture_output=True, text=True, timeout=PATIENCE_S)
    said = p.stderr.strip().splitlines()
    check(p.returncode != 0 and len(said) == 1 and text in said[0],
          f"{' '.join(args)}: exit status {p.returncode}, {said}")


def refusals(rack):
    record = os.path.join(OUT, "record")
    with open(os.path.join(OUT, "own.conf"), "w", encoding="utf-8") as f:
        f.write(OWN % os.path.join(OUT, "own"))
    rack.run("ip", "link", "add", DEVICE, "type", "bridge", member="c1")
    for args in (["--record", record], ["--capture", OUT], ["--loss-ppm", "1000"]):
        refused(rack, "use --plane user", *args)
    check(not os.path.exists(record), "a recording was begun")
    refused(rack, f"xdp {DEVICE}: ", "--xdp-mode", "native")
    check(not os.path.exists(os.path.join(OUT, "own", "bpf")), "a refused plane left its pins")


def loaded(rack, switch, mode, ports, kept):
    """Loads the plane, and ends the loader. All ports run in the mode; kept: with the memory of one before."""
    loader = rack.client(*switch, stdout=subprocess.PIPE, text=True)
    said = [loader.stdout.readline() for _ in range(ports + kept)]
    loader.terminate()
    check(loader.wait(PATIENCE_S) == 0, f"{mode}: exit status {loader.returncode}")
    check(all(f"{mode} XDP" in line for line in said[:ports]), f"{mode} was asked for: {said}")
    check(not kept or "took over" in said[-1], f"{mode}: began anew: {said}")


def forced_modes(rack):
    """A loader that insists on the other mode gets it, and takes the memory over as it is."""
    with open(os.path.join(OUT, "forced.conf"), "w", encoding="utf-8") as f:
        f.write(OWN.replace('"eth0" )', '"one" )').replace('"none"', '"two"') % os.path.join(OUT, "forced"))
    rack.run("ip", "link", "add", "one", "up", "type", "veth", "peer", "name", "two", member="c1")
    rack.run("ip", "link", "set", "two", "up", member="c1")
    switch = (CAPY, "switch", "--rack", os.path.join(OUT, "forced.conf"))
    try:
        for turn, mode in enumerate(("native", "generic", "native")):
            loaded(rack, (*switch, "--plane", "xdp", "--xdp-mode", mode), mode, 2, turn > 0)
    finally:
        rack.run(*switch, "--remove", member="c1")


def forced_where_it_cannot_be(rack):
    """A loader that insists on what one of the devices has not ends, and what forwarded before goes on."""
    with open(os.path.join(OUT, "cannot.conf"), "w", encoding="utf-8") as f:
        f.write(OWN.replace('"none"', '"two"').replace('"eth0" )', f'"one", "{DEVICE}" )')
                % os.path.join(OUT, "cannot"))
    switch = (CAPY, "switch", "--rack", os.path.join(OUT, "cannot.conf"))
    try:
        loaded(rack, (*switch, "--plane", "xdp"), "generic", 3, False)
        refused(rack, f"xdp {DEVICE}: ", "--xdp-mode", "native", conf="cannot.conf")
        mode_of = {link["ifname"]: link.get("xdp", {}).get("mode") for link in
                   json.loads(rack.run("ip", "-j", "link", member="c1"))}
        check(all(mode_of[d] == GENERIC for d in ("one", "two", DEVICE)), f"after a refusal: {mode_of}")
        loaded(rack, (*switch, "--plane", "xdp"), "generic", 3, True)
    finally:
        rack.run(*switch, "--remove", member="c1")


def all_generic(rack, text):
    is_mode = modes(rack)
    check(DEVICE in is_mode and all(m.startswith("generic XDP") for m in is_mode.values()),
          f"{text}: {is_mode}")


def test():
    with Rack(args=("--root", OUT, "--plane", "xdp"), plane="user") as rack:
        refusals(rack)
        forced_modes(rack)
        forced_where_it_cannot_be(rack)
        check(all(m.startswith("native XDP") for m in modes(rack).values()), f"{modes(rack)}")
        rack.steer("stop", "switch")
        add_device(rack)
        rack.steer("start", "switch")
        all_generic(rack, "one device cannot do better")
        transfer = Transfer(rack)
        with Mover(rack):
            until(lambda: moved(rack) > 20, "connections move")
            rack.steer("stop", "switch")
            rack.steer("start", "switch")
            all_generic(rack, "a new loader took it over")
        transfer.must_succeed()
        must_be_at_rest(rack)


def run():
    need_xdp_plane()
    test()


if __name__ == "__main__":
    main(run, "curl", "sha256sum")
