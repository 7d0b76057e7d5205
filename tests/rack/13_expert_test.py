#!/usr/bin/env python3
"""What the live tests do, in small, before an observer: downloads, uploads and events on the move, a
drain, lost, repeated and reordered frames, our stack in both roles. tshark's experts find no malformed
frame, no wrong checksum and nothing else of ours that is not explained (expert.py)."""

import os
import time

import observe
from client import get, serve
from expert import Scene
from rack import CAPY, OUT, SERVER, Rack, check, main
from transfers import download, events, make_file, upload

FAULTS = {"loss_ppm": 5000, "dup_ppm": 5000, "reorder_ppm": 5000}


def on_the_move(rack):
    download(rack, mib=16, moves=3)
    upload(rack, mib=16, moves=3)
    events(rack, count=20, interval_ms=50, moves=5)


def at_load(rack):
    rack.run(CAPY, "load", "--connections", "16", "--requests", "2000", "--rate", "1000",
             "--bytes", "3000", SERVER["s1"])
    rack.ask("s1", "drain")
    time.sleep(0.5)
    rack.ask("s1", "undrain")


def as_client(rack):
    make_file(os.path.join(OUT, "file"), 4)
    web = serve(rack, "c2", OUT)
    check(get(rack, "c3", web + "/file", "--repeat", "2")["answers"] == 2, "not two answers")
    get(rack, "c3", "--put", os.path.join(OUT, "file"), web + "/")
    get(rack, "c3", "--repeat", "50", f"{SERVER['s1']}/synthetic?bytes=64")


def scenes_of(name, scenes, faults=None, clients=2):
    print(name, flush=True)
    with Rack(clients=3, args=("--root", OUT, "--capture", observe.directory("capture"))) as rack:
        if faults:
            rack.ask("switch", "fault", port="all", seed=5, **faults)
        for scene in scenes:
            scene(rack)
    for message, count in sorted(observe.judge("capture", Scene(clients, lossy=bool(faults))).kinds.items()):
        print(f"  {count:6} {message}")


def test():
    scenes_of("a good network", (on_the_move, at_load, as_client))
    scenes_of("a bad network", (on_the_move, as_client), FAULTS)


if __name__ == "__main__":
    main(test, "tshark", "curl", "sha256sum")
