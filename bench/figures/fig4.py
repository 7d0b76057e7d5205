"""Fig. 4: average host cost of each step of a migration, Linux's TCP_REPAIR beside ours."""

import host_cost
import plot
from claim import at_least, at_most, seen, skipped, text

TITLE = "Fig. 4: average host cost of a migration, step by step"
ABOUT = """One idle connection goes back and forth between two servers, in memory. Ours is the whole
protocol at origin and target: messages, tags, snapshot, import, timers. Linux is only the system calls of
TCP_REPAIR, without a protocol between the machines, a switch, or a hand-over of the address, which
favours Linux; with messages it also sends and receives four of them, as ours does, but does not make or
check them. Neither side has a driver's work in it. Both are warm: each has just done the same. With cold caches
each step finds its code and data no nearer than the last-level cache, as on a server that did other work
meanwhile; the figure live_cost has both under load. The paper measured whole systems on its own hardware;
only ratios compare."""
PAPER_OURS_US, PAPER_LINUX_US, PAPER_RATIO = 3.7, 45.7, 12
AIM_RATIO = 50

measure = host_cost.measure


def claims(data):
    ours = data["systems"]["ours"]["total"]["mean"]["median"] / 1e3
    yield at_most("average host cost of a migration", PAPER_OURS_US, ours, " us")
    if data["linux_over_ours"] is None:
        yield skipped("average host cost, Linux over ours", data["skipped"], f"{PAPER_RATIO}x")
        return
    linux = data["systems"]["linux"]["total"]["mean"]["median"] / 1e3
    ratio = data["linux_over_ours"]["mean"]
    yield seen("average host cost of a migration by TCP_REPAIR, system calls alone",
               f"{text(linux)} us", f"the paper has {PAPER_LINUX_US} us for all of Prism")
    yield at_least("average host cost, Linux over ours", PAPER_RATIO, ratio["median"], "x")
    if data.get("with_messages"):
        yield at_least("the same, Linux sending and receiving the messages too", PAPER_RATIO,
                       data["with_messages"]["mean"]["median"], "x")
        yield at_least("99th percentile of host cost, the same", PAPER_RATIO,
                       data["with_messages"]["p99"]["median"], "x")
    if data.get("cold"):
        cold = data["cold"]
        ours, linux = (text(cold[k]["p50"]["median"] / 1e3) for k in ("host_ns", "linux_with_messages_ns"))
        yield at_least(f"the same with cold caches, medians: {linux} us over {ours} us", PAPER_RATIO,
                       cold["linux_with_messages_over_ours"]["p50"]["median"], "x")
    yield at_least("average host cost, Linux over ours, against this project's own aim", AIM_RATIO, ratio["median"], "x",
                   "the aim")


def rows(data):
    yield "system", "step", "mean_ns", "min_ns", "max_ns"
    for name, system in data["systems"].items():
        for step, s in {**system["steps"], "total": system["total"]["mean"]}.items():
            yield name, step, s["median"], s["min"], s["max"]


def draw(data, canvas):
    names = {"ours": "Capybara", "linux": "Linux TCP_REPAIR"}
    colors = [plot.OURS, *plot.OTHERS]
    found = [n for n in ("linux", "ours") if n in data["systems"]]
    panels = canvas.panels(rows=len(found), sharex=True)
    for axes, name in zip(panels, found):
        system = data["systems"][name]
        _bar(axes, system["steps"], colors)
        total = system["total"]["mean"]["median"] / 1e3
        axes.set_title(f"{names[name]}: {text(total)} us in all", loc="left")
    panels[-1].set_xlabel("average host cost, us")


def _bar(axes, steps, colors):
    """The steps one behind the other, as in the paper."""
    left = 0.0
    for (name, s), color in zip(steps.items(), colors):
        us = s["median"] / 1e3
        axes.barh([0], [us], left=[left], color=color, height=0.6, label=f"{name} {text(us)} us")
        left += us
    axes.set_yticks([])
    axes.set_ylim(-0.4, 1.5)
    axes.legend(ncols=3, loc="upper left")
