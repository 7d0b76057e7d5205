"""What the feature costs those who do not use it, and throughput and latency while connections migrate at
rates from none to many."""

import re
import shutil
import time

import plot
from claim import holds, seen, skipped, text
from harness import spread
from live import Migrations, Rack

TITLE = "The cost of being able to migrate, and of migrating"
ABOUT = """First, in memory: the same server stack as a plain host and as a member of a rack, whose connections could
move and do not, by turns in one run, and its instructions per request, which repeat exactly. Then over a live rack
of two servers: 64 connections of a kernel's client ask for 64 bytes, each again as soon as it was answered, while
connections migrate at a rate. The rates take turns on one rack, in changing order. Client, switch and servers share the
cores of this machine, so that every migration takes its time from all of them."""
RATES = (0, 500, 1000, 2000, 4000, 8000)
CONNECTIONS = 64
NONE_MEASURABLE = 1.02  # two hundredths: what runs of the same program differ by


def _counted(h, program, who, samples):
    out = h.run("sh", "-c", 'exec valgrind --tool=callgrind --callgrind-out-file=/dev/null '
                '"--toggle-collect=measured_*" "$@" 2>&1', "sh", program, "count", who, "request_64", samples)
    things = re.search(r"^(\d+)$", out, re.M)
    return int(re.search(r"Collected : (\d+)", out).group(1)), int(things.group(1))


def _instructions(h, program, who):
    """Of one request: two runs of different length, subtracted."""
    (few, few_things), (many, many_things) = (_counted(h, program, who, n) for n in (300, 900))
    return (many - few) / (many_things - few_things)


def _off_and_on(h):
    program = h.bench("bench-member")
    result = {"ns": h.run_json(program) if not h.quick else None, "instructions": None}
    if shutil.which("valgrind"):
        result["instructions"] = {who: _instructions(h, program, who) for who in ("alone", "member")}
    h.say("as a member and as a plain host")
    return result


def _point(h, live, rate):
    load = live.load("--connections", CONNECTIONS, "--bytes", 64, "--seconds", h.size(3, 1))
    if rate == 0:
        result, moved = load.finish(), 0
    else:
        began = time.monotonic()
        with Migrations(live, rate) as migrations:
            result = load.finish()
        moved = migrations.done / (time.monotonic() - began)
    return {"migrations_per_s": moved, "requests_per_s": result["requests_per_second"],
            "p50_us": result["latency_us"]["p50"], "p99_us": result["latency_us"]["p99"],
            "errors": result["errors"], "retransmits": result["client_retransmits"]}


def measure(h):
    feature = _off_and_on(h)
    with Rack(h) as live:
        rounds = h.by_turns(h.size(4, 1), **{
            f"{rate} a second": lambda rate=rate: _point(h, live, rate)
            for rate in h.size(RATES, (0, 500))})
    points = [{key: spread([r[key] for r in runs]) for key in runs[0]} for runs in rounds.values()]
    return {"feature": feature, "points": points}


def claims(data):
    feature = data["feature"]
    if feature["instructions"]:
        alone, member = (feature["instructions"][who] for who in ("alone", "member"))
        yield holds("instructions per request, member of a rack over plain host",
                    f"at most {NONE_MEASURABLE}x", member / alone <= NONE_MEASURABLE,
                    f"{member / alone:.3f}x ({text(member - alone)} of {text(member)})",
                    "none measurable", "measurable")
    else:
        yield skipped("instructions per request, member of a rack over plain host",
                      "valgrind is not installed")
    if feature["ns"]:
        worst = max(feature["ns"].items(), key=lambda item: item[1]["ratio"])
        yield holds("time, member over plain host: the worst of requests and bulk",
                    f"at most {NONE_MEASURABLE}x", worst[1]["ratio"] <= NONE_MEASURABLE,
                    f"{worst[1]['ratio']:.3f}x, {worst[0]}", "none measurable", "measurable")
    none, most = data["points"][0], data["points"][-1]
    ratio = most["requests_per_s"]["median"] / none["requests_per_s"]["median"]
    yield seen(f"throughput with {text(most['migrations_per_s']['median'])} migrations/s, of that without",
               f"{ratio:.2f}x of {text(none['requests_per_s']['median'])} requests/s")
    yield seen("p99 without and with them",
               f"{text(none['p99_us']['median'])} us, {text(most['p99_us']['median'])} us")
    errors = sum(p["errors"]["max"] for p in data["points"])
    yield holds("errors at any rate", "none", errors == 0, text(errors))


def rows(data):
    yield "migrations_per_s", "requests_per_s", "least", "most", "p50_us", "p99_us", "errors"
    for p in data["points"]:
        yield (p["migrations_per_s"]["median"], p["requests_per_s"]["median"], p["requests_per_s"]["min"],
               p["requests_per_s"]["max"], p["p50_us"]["median"], p["p99_us"]["median"],
               p["errors"]["max"])


def draw(data, canvas):
    above, below = canvas.panels(rows=2, sharex=True)
    x = [p["migrations_per_s"]["median"] for p in data["points"]]
    for axes, key, label, color in ((above, "requests_per_s", "requests/s", plot.OURS),
                                    (below, "p50_us", "median, us", plot.OTHERS[1]),
                                    (below, "p99_us", "99th percentile, us", plot.LINUX)):
        middle = [p[key]["median"] for p in data["points"]]
        axes.errorbar(x, middle, color=color, marker="o", markersize=4, capsize=3, label=label,
                      yerr=[[m - p[key]["min"] for m, p in zip(middle, data["points"])],
                            [p[key]["max"] - m for m, p in zip(middle, data["points"])]])
    above.set_ylim(bottom=0)
    below.set_yscale("log")
    for axes in (above, below):
        plot.thousands(axes.yaxis)
        axes.legend(loc="best")
    plot.thousands(below.xaxis)
    below.set_xlabel("migrations/s (median, least and most of the rounds)")
