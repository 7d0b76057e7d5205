#!/usr/bin/env python3
"""Between the vectors (plane_bmv2.c) and simple_switch: a line in, a line out. All that it says to the switch
it says through switch/p4/control.py, as an operator would."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../switch/p4"))
import control  # noqa: E402


def read_config(words):
    """The configuration as control.py has it from a rack file, and the time."""
    it = iter(words)
    cfg = control.Config()
    now = 0
    for word in it:
        if word == "server":
            server = control.Server(port=int(next(it)))
            for _ in range(3):
                field = next(it)
                setattr(server, field, int(next(it), 0))
            cfg.servers.append(server)
        elif word in ("key", "hash"):
            setattr(cfg, word, (int(next(it)), int(next(it))))
        elif word == "service":
            cfg.services.append(int(next(it)))
        elif word == "now":
            now = int(next(it))
        else:
            setattr(cfg, word, int(next(it), 0))
    cfg.client_ports = list(range(len(cfg.servers), cfg.ports))
    return cfg, now


def members(switch, cfg, now):
    """Who has a share of the service address's table; what `control.py run` sees by polling."""
    heard, takes = switch.read("server_heard"), switch.read("server_takes")
    return {i for i in range(len(cfg.servers)) if takes[i] and heard[i] and now < heard[i] + cfg.lease}


def main():
    switch = control.Switch(9090)
    last = None
    print("ready", flush=True)
    for line in sys.stdin:
        command, *words = line.split()
        if command == "open":
            cfg, now = read_config(words)
            switch.reset()
            layout = cfg.layout()
            if layout != last:
                switch.clear()
                switch.groups(cfg)
                switch.tables(cfg)
                last = layout
            switch.rack(cfg)
            switch.families(cfg)
            switch.write("booted", 0, now)
            print("ok", flush=True)
        elif command == "used":  # before a sweep at this time
            switch.refill(cfg, members(switch, cfg, int(words[0])))
            print(" ".join(str(slot) for slot in switch.used()), flush=True)
        elif command == "counts":
            print(" ".join(str(v) for v in switch.read("counts")), flush=True)
        elif command == "entries":
            print(";".join(
                "%032x %u %032x %u %u %u %u %u %u %u %u" % (
                    e["client"], e["client_port"], cfg.home(e), e["home_port"], e["phase"],
                    e["epoch"], e["owner"], e["owner_port"], e["previous"], e["previous_port"],
                    e["flags"]) for e in switch.entries()), flush=True)


if __name__ == "__main__":
    main()
