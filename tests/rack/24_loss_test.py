#!/usr/bin/env python3
"""Both roles at 1 % loss in every direction: a kernel's client and our server, our client and a
kernel's server, down and up. Every byte arrives, and not by waiting for a timer at each loss."""

import json
import os
import time

from client import get, serve
from rack import OUT, SERVER, Rack, check, main
from transfers import PATIENCE_S, make_file

MIB = 16
LOSS_PPM = 10000
# For all of them together. 64 MiB lose some 500 segments; with a timeout of 200 ms each that were 100 s.
BOUND_S = 60
SLOWER = 10  # and so many times what they take without loss: nothing, but on a machine that is slow or busy


def transfers(rack, web, path, wanted):
    """All four; the seconds that they take."""
    begun = time.monotonic()

    out = rack.run("sh", "-c", f"curl -m {PATIENCE_S} -sS http://{SERVER['s1']}/file | sha256sum")
    check(out.decode().split()[0] == wanted, "our server, down: not what was sent")
    out = rack.run("curl", "-m", str(PATIENCE_S), "-sS", "-T", path, "-H", "Expect:",
                   f"http://{SERVER['s1']}/upload")
    check(json.loads(out)["sha256"] == wanted, "our server, up: not what was sent")

    check(get(rack, "c3", web + "/file")["sha256"] == wanted,
          "our client, down: not what was sent")
    answer = os.path.join(OUT, "answer")
    get(rack, "c3", "--put", path, "--output", answer, web + "/")
    with open(answer, encoding="utf-8") as f:
        check(json.load(f)["sha256"] == wanted, "our client, up: not what was sent")
    return time.monotonic() - begun


def test():
    path = os.path.join(OUT, "file")
    wanted = make_file(path, MIB)
    with Rack(servers=1, clients=3, args=("--root", OUT), wire=True) as rack:
        web = serve(rack, "c2", OUT)
        bound = BOUND_S + SLOWER * transfers(rack, web, path, wanted)
        rack.ask("switch", "fault", port="all", loss_ppm=LOSS_PPM, seed=11)
        took = transfers(rack, web, path, wanted)
        print(f"{took:.1f} s, at most {bound:.1f} s", flush=True)
        check(took < bound, f"{took:.1f} s for {4 * MIB} MiB, {bound:.1f} s wanted")
        for port in rack.ask("switch", "ports")["ports"]:
            check(port["fault"]["lost"] > 0, f"nothing was lost on port {port['port']}")
    os.unlink(path)


if __name__ == "__main__":
    main(test, "curl", "sha256sum")
