"""Fig. 1 live: 99th percentile of requests against a delay added to every migration, at two fractions of
what this machine can serve."""

import time

import plot
from claim import holds, seen, text
from live import Migrations, Rack

TITLE = "Fig. 1, live: 99th percentile of requests against added migration delay"
ABOUT = """A rack in network namespaces: two servers, a switch, a client whose kernel holds 150 connections, all on the
cores of this machine. For each delay a rack of its own, whose servers are busy for so long whenever a connection
arrives (capy httpd --arrival-us); at each load 10,000 migrations, 1,000 a second, while requests come open loop at a
fraction of the capacity, which is measured first, without migrations. Latency counts from the time a request was due.
Loads are those of this machine, not the paper's; the simulated figure has the paper's."""
CONNECTIONS, PER_S, BYTES = 150, 1000, 64
FRACTIONS = (0.4, 0.6)
DELAYS_US = (0, 100, 200, 300, 400, 500)


def _point(live, h, rate):
    seconds = h.size(11, 2)
    load = live.load("--connections", CONNECTIONS, "--bytes", BYTES, "--rate", rate, "--seconds", seconds)
    time.sleep(0.5)
    with Migrations(live, PER_S, h.size(10000, 300)) as migrations:
        result = load.finish(seconds + 240)
    return {"rate": rate, "migrations": migrations.done, "latency_us": result["latency_us"],
            "answered_per_s": result["requests_per_second"], "errors": result["errors"],
            "client_retransmits": result["client_retransmits"]}


def measure(h):
    with Rack(h) as live:
        load = live.load("--connections", CONNECTIONS, "--bytes", BYTES, "--seconds", h.size(4, 1))
        capacity = load.finish()["requests_per_second"]
    h.say(f"capacity {capacity:,.0f} requests/s")
    points = []
    for delay in h.size(DELAYS_US, (0, 500)):
        with Rack(h, args=("--httpd-args", f"--arrival-us {delay}")) as live:
            for fraction in FRACTIONS:
                points.append({"delay_us": delay, "fraction": fraction,
                               **_point(live, h, round(capacity * fraction))})
        h.say(f"{delay} us")
    return {"capacity": capacity, "points": points}


def _curve(data, fraction):
    return [(p["delay_us"], p["latency_us"]["p99"]) for p in data["points"]
            if p["fraction"] == fraction]


def claims(data):
    low, high = (_curve(data, fraction) for fraction in FRACTIONS)
    yield seen("requests/s of this rack without migrations", text(data["capacity"]))
    yield holds(f"live p99 at {FRACTIONS[1]:.0%} of that grows with the delay", "increases significantly",
                high[-1][1] > 1.5 * high[0][1],
                f"{text(high[0][1])} us without, {text(high[-1][1])} us with {high[-1][0]} us")
    yield holds(f"live p99 with {high[-1][0]} us, {FRACTIONS[1]:.0%} beside {FRACTIONS[0]:.0%}",
                "worse with more load", high[-1][1] > low[-1][1],
                f"{text(high[-1][1])} us beside {text(low[-1][1])} us")
    errors = sum(p["errors"] for p in data["points"])
    yield holds("errors in all of these migrations", "none", errors == 0,
                f"{text(errors)} in {text(sum(p['migrations'] for p in data['points']))}")


def rows(data):
    yield ("delay_us", "fraction", "rate", "answered_per_s", "migrations", "p50_us", "p99_us",
           "p999_us", "errors", "client_retransmits")
    for p in data["points"]:
        lat = p["latency_us"]
        yield (p["delay_us"], p["fraction"], p["rate"], p["answered_per_s"], p["migrations"],
               lat["p50"], lat["p99"], lat["p999"], p["errors"], p["client_retransmits"])


def draw(data, canvas):
    axes = canvas.axes()
    for fraction, color, marker in zip(FRACTIONS, (plot.OURS, plot.LINUX), ("o", "s")):
        rate = next(p["rate"] for p in data["points"] if p["fraction"] == fraction)
        axes.plot(*zip(*_curve(data, fraction)), color=color, marker=marker,
                  label=f"{fraction:.0%} of capacity, {rate / 1000:.0f} Krps")
    axes.set_yscale("log")
    plot.thousands(axes.yaxis)
    axes.set_xlabel("delay added to every migration, us")
    axes.set_ylabel("99th percentile, us")
    axes.legend()
