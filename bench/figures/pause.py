"""What a client sees of a migration: the request that met one, beside those that met none."""

import bisect
import json
import statistics

import plot
from claim import holds, seen, text
from harness import at, distribution
from live import Migrations, Rack, by_stack

TITLE = "Client-visible pause of a migration"
ABOUT = """One connection of a kernel's client asks for 64 bytes, again as soon as it was answered, while it moves
between two servers 250 times a second. The servers' clock and the client's are one, so it is known which request was
under way when the connection was frozen or arriving: of each migration the slowest of them, less the median of
requests that met no migration in the same run, is what the client saw. A request that meets none varies as well,
on a machine with more programs than cores: its own distribution, less the same median, is drawn beside."""
PER_S = 250
NAMES = {"ours": "Capybara", "linux": "Linux TCP_REPAIR"}


def _one(h, stack):
    with Rack(h, stack=stack) as live:
        bench = h.bench("bench-kernel")
        with Migrations(live, PER_S) as migrations:
            out = json.loads(live.run(bench, "trace", live.rack.ip["s1"], "80", "cubic",
                                      h.size(8, 1)))
        return split(out, live.samples()) | {"migrations": migrations.done,
                                             "retransmits": out["retransmits"]}


def split(trace, moved):
    """ns that requests took: those under way in a migration (the slowest of each), and the others."""
    flat, first = trace["begun_and_took_ns"], trace["first_ns"]
    begun = [first + b for b in flat[0::2]]
    took = flat[1::2]
    met, touched = [], set()
    for m in moved:
        i = max(bisect.bisect_right(begun, m["frozen_at"]) - 1, 0)
        under_way = []
        while i < len(begun) and begun[i] <= m["running_at"]:
            if begun[i] + took[i] >= m["frozen_at"]:
                under_way.append(i)
            i += 1
        if under_way:
            met.append(max(took[i] for i in under_way))
            touched.update(under_way)
    return {"met": met, "others": [t for i, t in enumerate(took) if i not in touched]}


def measure(h):
    stacks, missing = by_stack(h, _one)
    rounds = h.by_turns(h.size(3, 1), **stacks)
    return {"systems": {n: _system(runs) for n, runs in rounds.items()}, "skipped": missing}


def _system(runs):
    less = [(r, statistics.median(r["others"])) for r in runs if r["others"]]
    return {"migrations": sum(r["migrations"] for r in runs),
            "retransmits": sum(r["retransmits"] for r in runs),
            "usual_ns": statistics.median(m for _, m in less) if less else None,
            "pause": distribution(t - m for r, m in less for t in r["met"]),
            "others": distribution(t - m for r, m in less for t in r["others"])}


def claims(data):
    for name, system in data["systems"].items():
        if system["pause"] is None:
            yield seen(f"client-visible pause, {NAMES[name]}", "no request met a migration")
            continue
        yield seen(f"client-visible pause, {NAMES[name]}: median, p99 (a request without: "
                   f"{text(system['usual_ns'] / 1e3)} us)",
                   ", ".join(f"{text(at(system['pause'], q) / 1e3)} us" for q in (0.5, 0.99)))
    ours = data["systems"]["ours"]
    yield holds("retransmissions of the client meanwhile, per 10,000 migrations", "none",
                ours["retransmits"] == 0,
                text(ours["retransmits"] * 10000 / max(ours["migrations"], 1)))
    if "linux" in data["systems"] and ours["pause"] and data["systems"]["linux"]["pause"]:
        here = at(ours["pause"], 0.5)
        there = at(data["systems"]["linux"]["pause"], 0.5)
        yield holds("median pause, Linux beside ours", "", here < there,
                    f"{text(there / 1e3)} us beside {text(here / 1e3)} us", "ours is shorter",
                    "ours is not shorter")


def rows(data):
    yield "system", "requests", "fraction", "ns_above_the_median_of_others"
    for name, system in data["systems"].items():
        for what in ("pause", "others"):
            d = system[what] or {"fractions": [], "values": []}
            for fraction, value in zip(d["fractions"], d["values"]):
                yield name, "met a migration" if what == "pause" else "others", fraction, value


def draw(data, canvas):
    axes = canvas.axes()
    for name, color in (("ours", plot.OURS), ("linux", plot.LINUX)):
        system = data["systems"].get(name)
        if system and system["pause"]:
            plot.cdf(axes, system["pause"], f"{NAMES[name]}, a migration", color, 1e-3)
            plot.cdf(axes, system["others"], f"{NAMES[name]}, no migration", color, 1e-3,
                     linestyle=":")
    axes.set_xscale("symlog", linthresh=10)
    plot.thousands(axes.xaxis)
    axes.set_xlabel("longer than the usual request, us")
    axes.set_ylabel("share of requests")
    axes.legend(loc="lower right", fontsize=9)
