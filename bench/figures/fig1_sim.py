"""Fig. 1 on virtual time: 99th percentile of requests against a delay added to every migration, at the
paper's loads, with production stacks and switch in the simulator (bench/virtual)."""

import concurrent.futures
import os

import plot
from claim import holds, seen, text

TITLE = "Fig. 1, simulated: 99th percentile of requests against added migration delay, virtual time"
ABOUT = """150 connections send 150,000 and 170,000 requests a second to two servers, open loop, while 10,000
migrations, 1,000 a second, swap connections between them. Production TCP stacks, TCPMig and switch run in the
simulator; a server has one processor, on which requests wait for one another. The added delay keeps the
target's processor busy, or, as a comparison, holds only the connection that moves. The paper says neither what
a request cost on its servers nor how long the 10,000 migrations took. "Measured" takes the cost of a request (1
KiB, the stack alone) and of a migration from this machine's benches. "Assumed" takes 9 us for a
request, with which the curve bends where the paper's does: chosen to see whether the
paper's shape follows from queueing alone."""

DELAYS_US = (0, 100, 200, 300, 400, 500)
RATES = (150000, 170000)  # the paper's
PAPER_SERVICE_NS = 9000
PAPER_KNEE_US, PAPER_P99_US = 200, 500
LABEL = {"measured": "costs measured here", "paper": "9 us a request, assumed",
         "held": "the same, only the connection held"}


def _calibrate(h):
    """Costs in ns: of a request, and of a migration at origin and target."""
    if h.quick:
        return {"service_ns": 700, "origin_ns": 1000, "target_ns": 1300, "from": "not measured"}
    stack = h.run_json(h.bench("bench-stack"))
    migrate = h.run_json(h.bench("bench-migrate"), 20000)
    steps = migrate["step_mean_ns"]
    both = migrate["host_ns"]["p50"] / sum(steps.values())  # steps apart cost something themselves
    return {"service_ns": round(stack["request_1k_ns"]),
            "origin_ns": round(both * (steps["prepare"] + steps["export"] + steps["free"])),
            "target_ns": round(both * (steps["admit"] + steps["import"])),
            "from": "bench-stack request_1k_ns, bench-migrate host_ns p50"}


def measure(h):
    program = h.bench("bench-delay")
    costs = _calibrate(h)
    scenarios = {"measured": {"service_ns": costs["service_ns"], "hold": 0},
                 "paper": {"service_ns": PAPER_SERVICE_NS, "hold": 0},
                 "held": {"service_ns": PAPER_SERVICE_NS, "hold": 1}}
    wanted = [(name, rate, delay) for name in scenarios for rate in RATES
              for delay in h.size(DELAYS_US, (0, 500))]

    def one(point):
        name, rate, delay = point
        arguments = {"rate": rate, "delay_us": delay, "origin_ns": costs["origin_ns"],
                     "target_ns": costs["target_ns"], "migrations": h.size(10000, 20),
                     **scenarios[name]}
        result = h.run_json(program, *(f"{k}={v}" for k, v in arguments.items()))
        return {"scenario": name, "rate": rate, "delay_us": delay, **result}

    # Virtual time: that they run beside one another changes nothing.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        points = list(pool.map(one, wanted))
    h.say(f"{len(points)} points")
    return {"costs": costs, "points": points}


def _p99(data, scenario, rate, delay):
    for p in data["points"]:
        if (p["scenario"], p["rate"], p["delay_us"]) == (scenario, rate, delay):
            return p["latency_us"]["p99"]
    return None


def _curve(data, scenario, rate):
    return [(p["delay_us"], p["latency_us"]["p99"]) for p in data["points"]
            if p["scenario"] == scenario and p["rate"] == rate]


def claims(data):
    for scenario in ("paper", "measured"):
        below = [p99 for rate in RATES for delay, p99 in _curve(data, scenario, rate)
                 if delay <= PAPER_KNEE_US]
        yield holds(f"p99 with at most {PAPER_KNEE_US} us of added delay ({LABEL[scenario]})",
                    f"below {PAPER_P99_US} us", max(below) < PAPER_P99_US, f"{text(max(below))} us")
    low, high = (_curve(data, "paper", rate)[-1][1] for rate in RATES)
    knee = _p99(data, "paper", RATES[1], PAPER_KNEE_US) or _curve(data, "paper", RATES[1])[0][1]
    yield holds("p99 beyond that, at 170 Krps", "increases significantly", high > 1.5 * knee,
                f"{text(knee)} us, then {text(high)} us")
    yield holds(f"p99 with {_curve(data, 'paper', RATES[0])[-1][0]} us, 170 Krps beside 150 Krps",
                "worse with more load", high > low, f"{text(high)} us beside {text(low)} us")
    ours = _curve(data, "measured", RATES[1])
    yield seen("p99 at 170 Krps with this stack's own costs, without and with 500 us",
               f"{text(ours[0][1])} us, {text(ours[-1][1])} us")


def rows(data):
    yield "scenario", "rate", "delay_us", "p50_us", "p99_us", "p999_us", "busy_s1", "busy_s2", "migrations"
    for p in data["points"]:
        lat = p["latency_us"]
        yield (p["scenario"], p["rate"], p["delay_us"], lat["p50"], lat["p99"], lat["p999"],
               *p["busy"], p["migrations"])


def draw(data, canvas):
    axes = canvas.axes()
    for scenario, color, dash in (("paper", plot.LINUX, "-"), ("held", plot.OTHERS[0], "--"),
                                  ("measured", plot.OURS, "-")):
        for rate, marker in zip(RATES, ("o", "s")):
            curve = _curve(data, scenario, rate)
            axes.plot(*zip(*curve), dash, color=color, marker=marker, markersize=5,
                      fillstyle="full" if rate == RATES[1] else "none",
                      label=f"{rate // 1000} Krps, {LABEL[scenario]}")
    axes.axhline(PAPER_P99_US, color=plot.OTHERS[5], linewidth=0.8, linestyle=":")
    axes.set_yscale("log")
    plot.thousands(axes.yaxis)
    axes.set_xlabel("delay added to every migration, us")
    axes.set_ylabel("99th percentile, us")
    axes.legend(fontsize=8.5)
