"""The trigger's defaults, justified: each setting varied by itself, on virtual time (bench/trigger)."""

import plot
from claim import holds, seen, text
from harness import Skip

TITLE = "The trigger: with and without it, and other settings than the defaults"
ABOUT = """Racks of three servers on virtual time, with a core of its own each: whole library OSes around the real
switch. Skew gives one server work for 1.5 cores; uniform, bursts and overload are scenes in which a trigger can do harm.
Above: 99th percentile of what was answered, every 20 ms, without and with the trigger. Below: the 99th percentile in the
second half of the run with one setting changed, against that of the default. Lower is not always better: a value that
is too eager moves connections under uniform load, where that does harm."""
SHOWN = ("load_threshold", "patience_us", "interval_us", "cool_down_ms", "budget", "heartbeat_us")
FAST = 1.25  # a default within a quarter of the best value tried is a good one
NOISE = 1.05  # so much more under uniform load is none: the requests are the same, their places are not


def measure(h):
    program = h.bench("trigger/bench-trigger")
    if h.quick:
        raise Skip("takes four minutes of processor time, and knows nothing shorter")
    return h.run_json(program, timeout=600)


def _of(data, scene, setting, key="late_p99_us"):
    return {p["value"]: p[key] for p in data["points"] if (p["scene"], p["setting"]) == (scene, setting)}


def _default(data, scene, key="late_p99_us"):
    """Of the run in which every setting has its default."""
    return _of(data, scene, "load_threshold", key)[data["defaults"]["load_threshold"]]


def claims(data):
    off, on = _of(data, "skew", "off")[0], _default(data, "skew")
    yield holds("p99 of an overloaded rack at rest, trigger on (virtual time)", "at most half of off",
                on <= off / 2, f"{text(off)} us off, {text(on)} us on")
    answered = [_of(data, "skew", "off", "answered")[0], _default(data, "skew", "answered")]
    yield holds("requests answered in the same time", "no fewer", answered[1] >= answered[0],
                f"{text(answered[0])} off, {text(answered[1])} on")
    for scene in ("uniform", "overload"):
        off, on = _of(data, scene, "off")[0], _default(data, scene)
        yield holds(f"p99, {scene}: trigger on (virtual time)", "no worse than off", on <= NOISE * off,
                    f"{text(off)} us off, {text(on)} us on, {text(_default(data, scene, 'moves'))} moves")
    yield seen("moves of one connection at most, skew", text(_default(data, "skew", "moves_of_one")))
    for setting in SHOWN:
        if setting != "heartbeat_us":  # the bench's own: that of the rack file is for shared machines
            yield _beside_the_best(data, setting)


def _beside_the_best(data, setting):
    """The default beside the best value tried of those that leave uniform load alone."""
    scene = "heavy" if setting == "cool_down_ms" else "skew"
    tried, uniform = _of(data, scene, setting), _of(data, "uniform", setting)
    idle = _of(data, "uniform", "off")[0]
    harmless = {v: us for v, us in tried.items() if uniform.get(v, idle) <= NOISE * idle}
    default = data["defaults"][setting]
    best = min(harmless, key=harmless.get)
    return holds(f"default {setting} = {default}: p99, {scene}, beside the best tried that does no harm to "
                 "uniform load", f"within {FAST}x", tried[default] <= FAST * harmless[best],
                 f"{text(tried[default])} us; {text(harmless[best])} us with {best}")


def rows(data):
    yield ("scene", "setting", "value", "p99_us", "late_p99_us", "answered", "moves", "moves_of_one",
           "slow_until_ms")
    for p in data["points"]:
        yield (p["scene"], p["setting"], p["value"], p["p99_us"], p["late_p99_us"], p["answered"],
               p["moves"], p["moves_of_one"], p["slow_until_ms"])


def draw(data, canvas):
    above, below = canvas.panels(rows=2)
    for name, label, color in (("series_off", "off", plot.OTHERS[5]), ("series_on", "on", plot.OURS)):
        above.plot([p["ms"] for p in data[name]], [p["p99_us"] / 1e3 for p in data[name]], color=color,
                   label=f"trigger {label}")
    above.set_yscale("log")
    plot.thousands(above.yaxis)
    above.set_xlabel("ms since the load began")
    above.set_ylabel("p99 of 20 ms, ms")
    above.legend()
    for setting, color in zip(SHOWN, (plot.OURS, plot.LINUX, *plot.OTHERS)):
        tried = _of(data, "skew", setting) or _of(data, "heavy", setting)
        tried = {v: us for v, us in tried.items() if v > 0}
        default = data["defaults"][setting]
        if default in tried:
            below.plot([v / default for v in tried], [us / tried[default] for us in tried.values()],
                       color=color, marker="o", markersize=4, label=setting)
    below.set_xscale("log")
    below.set_yscale("log")
    for axis in (below.xaxis, below.yaxis):
        plot.thousands(axis)
    below.set_xlabel("setting, times its default")
    below.set_ylabel("p99 under skew,\ntimes that of the default")
    below.legend(ncols=2, fontsize=8.5)
