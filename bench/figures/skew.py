"""Tail latency when one server has too much to do: the trigger off, on, and on with what a migration
costs Linux."""

import math

import host_cost
import plot
from claim import holds, seen, text
from harness import spread
from live import Rack

TITLE = "Tail latency under skew and bursts: without migration, with it, and at Linux's cost"
ABOUT = """A rack of three servers, 192 long-lived connections of a kernel's client, open loop, requests that take a server
500 us, through which it sleeps (capy httpd --service-sleep): so each server is as fast as one core of its own, on however few
they run. Uniform: all servers have the same to do. Skew: eight of ten requests are for the first server's
connections, with some connections asking more than others (Zipf), which is a third more than one core can do. Bursts: the same
skew at half the rate, three times as fast for a third of each 600 ms. Off: connections stay where they were opened. On:
servers over their load threshold move connections by themselves. At Linux's cost: the same, but each arrival keeps its
server busy for as long as a migration by TCP_REPAIR costs both servers on average. Latency counts from the time a
request was due; the first seconds, in which connections find their place, are not counted."""
SERVICE_US, CONNECTIONS, THRESHOLD, SERVERS = 500, 192, 8, 3
LINUX_US = 46  # the paper's, where this machine cannot tell
WORKLOADS = {
    "uniform": ("--rate", 1500, "--skew", "uniform"),
    "skew": ("--rate", 3000, "--skew", "zipf:0.5", "--weights", "8,1,1"),
    "bursts": ("--rate", 1500, "--skew", "zipf:0.5", "--weights", "8,1,1", "--arrivals", "bursty:600ms:3"),
}
# Under uniform load nothing moves: what differs is the machine, by half in one of two rounds.
ROUNDS = {"uniform": 5, "skew": 2, "bursts": 2}
MODES = ("off", "on", "linux")
LABEL = {"off": "off", "on": "on", "linux": "on, at Linux's cost"}


def _linux_us(h):
    linux = host_cost.measure(h)["systems"].get("linux")
    return math.ceil(linux["total"]["mean"]["median"] / 1e3) if linux else LINUX_US


def _run(h, workload, mode, linux_us):
    arrival = f" --arrival-us {linux_us}" if mode == "linux" else ""
    args = ["--threshold", 0 if mode == "off" else THRESHOLD, "--httpd-args",
            "--service-sleep" + arrival]
    with Rack(h, servers=SERVERS, args=args) as live:
        load = live.load("--connections", CONNECTIONS, "--us", SERVICE_US, "--bytes", 64, "--warm-up",
                         h.size("3s", "1s"), "--seconds", h.size(5, 1), "--timeout-ms", 60000,
                         *WORKLOADS[workload])
        result = load.finish(120)
        moved = sum(s["migrations_out"] for s in live.status().values())
    return {"p50_us": result["latency_us"]["p50"], "p99_us": result["latency_us"]["p99"],
            "answered_per_s": result["requests_per_second"], "errors": result["errors"],
            "migrations": moved}


def measure(h):
    linux_us = _linux_us(h)
    points = []
    for workload in h.size(tuple(WORKLOADS), ("skew",)):
        rounds = h.by_turns(h.size(ROUNDS[workload], 1), **{
            mode: lambda mode=mode: _run(h, workload, mode, linux_us) for mode in MODES})
        h.say(workload)
        points += [{"workload": workload, "mode": mode,
                    **{key: spread([r[key] for r in runs]) for key in runs[0]}}
                   for mode, runs in rounds.items()]
    return {"linux_us": linux_us, "points": points}


def _of(data, workload, mode, key):
    for p in data["points"]:
        if (p["workload"], p["mode"]) == (workload, mode):
            return p[key]["median"]
    return None


def claims(data):
    for workload in dict.fromkeys(p["workload"] for p in data["points"]):
        off, on, linux = (_of(data, workload, mode, "p99_us") for mode in MODES)
        here = f"{text(off)} us off, {text(on)} us on"
        if workload == "uniform":
            yield holds("p99 under uniform load, migration on", "no worse than off", on <= 1.25 * off, here)
            moved = _of(data, workload, "on", "migrations")
            yield seen("migrations under uniform load", text(moved))
            continue
        yield holds(f"p99 under {workload}, migration on", "at most half of off", on <= off / 2, here)
        done = [_of(data, workload, mode, "answered_per_s") for mode in ("off", "on")]
        yield holds(f"throughput under {workload}, migration on", "no lower", done[1] >= 0.98 * done[0],
                    f"{text(done[0])} off, {text(done[1])} on, requests/s")
        yield seen(f"p99 under {workload}, at Linux's cost of {data['linux_us']} us", f"{text(linux)} us")


def rows(data):
    yield "workload", "mode", "p50_us", "p99_us", "p99_least", "p99_most", "answered_per_s", "migrations"
    for p in data["points"]:
        yield (p["workload"], p["mode"], p["p50_us"]["median"], p["p99_us"]["median"], p["p99_us"]["min"],
               p["p99_us"]["max"], p["answered_per_s"]["median"], p["migrations"]["median"])


def draw(data, canvas):
    axes = canvas.axes()
    workloads = list(dict.fromkeys(p["workload"] for p in data["points"]))
    for i, (mode, color) in enumerate(zip(MODES, (plot.OTHERS[5], plot.OURS, plot.LINUX))):
        y = [_of(data, w, mode, "p99_us") / 1e3 for w in workloads]
        bars = axes.bar([n + (i - 1) * 0.27 for n in range(len(workloads))], y, 0.25, color=color,
                        label=LABEL[mode])
        axes.bar_label(bars, [text(v) for v in y], fontsize=9)
    axes.set_xticks(range(len(workloads)), workloads)
    axes.set_yscale("log")
    plot.thousands(axes.yaxis)
    axes.set_ylabel("99th percentile, ms")
    axes.legend(title="migration")
