"""Figs. 4 and 5 over a live rack: 10,000 migrations under load, through a switch, of connections of the
kernel's clients; what each cost its two servers, how long its connection rested, and what clients saw."""

import time

import plot
from claim import at_least, holds, seen, skipped, text
from harness import at, distribution, spread
from live import STEPS, Migrations, Rack, by_stack

TITLE = "Figs. 4 and 5, live: host cost and pause of migrations under load"
ABOUT = """A rack in network namespaces: two servers, a switch, and a client whose kernel holds 64 connections with
requests at all times. 10,000 migrations, 2,000 a second. Host cost is the time that origin and target spend on
a migration, all five steps; pause is from the freeze at the origin to the first instruction at the target. Here
more programs than cores share the machine, caches are cold, and a step that the scheduler interrupts counts in
full. Servers on Linux's sockets use the same TCPMig and the same switch."""
CONNECTIONS, PER_S = 64, 2000
NAMES = {"ours": "Capybara", "linux": "Linux TCP_REPAIR"}


def _one(h, stack):
    with Rack(h, stack=stack) as live:
        load = live.load("--connections", CONNECTIONS, "--seconds", h.size(7, 2), "--bytes", 512)
        live.h.say(f"{NAMES[stack]}: load begins")
        time.sleep(h.size(1.0, 0.5))
        with Migrations(live, PER_S, h.size(10000, 500)) as migrations:
            migrations.wait(h.size(6, 2))
        result = load.finish()
        return {"samples": live.samples(), "migrations": migrations.done,
                "seconds": migrations.seconds,
                "load": {k: result[k] for k in ("requests", "requests_per_second", "errors",
                                                "resets", "client_retransmits", "latency_us")}}


def measure(h):
    stacks, missing = by_stack(h, _one)
    rounds = h.by_turns(h.size(3, 1), **stacks)
    return {"systems": {name: _system(runs) for name, runs in rounds.items()}, "skipped": missing}


def _system(runs):
    every = [s for r in runs for s in r["samples"]]
    def each(of):
        return spread([of(r) for r in runs if r["samples"]])
    def mean(values):
        return sum(values) / len(values)
    return {
        "migrations": sum(r["migrations"] for r in runs),
        "steps": {step: each(lambda r: mean([s["steps"][step] for s in r["samples"]]))
                  for step in STEPS},
        "total": {"mean": each(lambda r: mean([s["total"] for s in r["samples"]])),
                  "p50": each(lambda r: at(distribution(s["total"] for s in r["samples"]), 0.5)),
                  "p99": each(lambda r: at(distribution(s["total"] for s in r["samples"]), 0.99))},
        "distribution": distribution(s["total"] for s in every),
        "pause": distribution(s["running_at"] - s["frozen_at"] for s in every),
        "load": [r["load"] for r in runs],
    }


def claims(data):
    ours = data["systems"]["ours"]
    for name, system in data["systems"].items():
        errors, resets, again = (sum(run[key] for run in system["load"])
                                 for key in ("errors", "resets", "client_retransmits"))
        per = 10000 / max(system["migrations"], 1)
        here = (f"{text(errors * per)} errors, {text(resets * per)} resets, {text(again * per)} "
                "retransmissions")
        if name == "ours":
            yield holds("clients notice nothing, per 10,000 live migrations", "transparent",
                        errors == resets == again == 0, here)
        else:
            yield seen("the same of servers on Linux's sockets", here)
    yield seen("pause of a migration under load, median and p99",
               " and ".join(f"{text(at(ours['pause'], q) / 1e3)} us" for q in (0.5, 0.99)))
    if "linux" not in data["systems"]:
        yield skipped("average host cost live, Linux over ours", data["skipped"], "12x")
        return
    linux = data["systems"]["linux"]
    for q, what in (("mean", "average host cost live"), ("p99", "99th percentile of host cost live")):
        yield at_least(f"{what}, Linux over ours", 12,
                       linux["total"][q]["median"] / ours["total"][q]["median"], "x")


def rows(data):
    yield "system", "what", "fraction", "ns"
    for name, system in data["systems"].items():
        for step, s in {**system["steps"], "total": system["total"]["mean"]}.items():
            yield name, f"mean of {step}", "", s["median"]
        for what in ("distribution", "pause"):
            d = system[what]
            for fraction, value in zip(d["fractions"], d["values"]):
                yield name, "host cost" if what == "distribution" else what, fraction, value


def draw(data, canvas):
    above, below = canvas.panels(rows=2)
    left, colors = {}, [plot.OURS, *plot.OTHERS]
    names = list(data["systems"])
    for step, color in zip(STEPS, colors):
        us = [data["systems"][n]["steps"][step]["median"] / 1e3 for n in names]
        above.barh([NAMES[n] for n in names], us, left=[left.get(n, 0) for n in names], color=color,
                   height=0.6, label=step)
        left = {n: left.get(n, 0) + u for n, u in zip(names, us)}
    above.set_xlabel("average host cost, us")
    above.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, 1.25))
    for name, color in (("ours", plot.OURS), ("linux", plot.LINUX)):
        if name in data["systems"]:
            plot.cdf(below, data["systems"][name]["distribution"], f"{NAMES[name]}, host cost", color, 1e-3)
            plot.cdf(below, data["systems"][name]["pause"], f"{NAMES[name]}, pause", color, 1e-3,
                     linestyle="--")
    below.set_xscale("log")
    plot.thousands(below.xaxis)
    below.set_xlabel("us")
    below.set_ylabel("share of migrations")
    below.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.5, 1.42), fontsize=9)
