"""How long a server takes to become empty, and what becomes of the connections that it had: drained by
migration, beside what a reload of nginx and of HAProxy does to them."""

import json
import os
import resource
import subprocess
import time

import plot
from claim import at_least, holds, seen, skipped, text
from harness import Failed, Skip, need_root, need_tool
from live import Rack

TITLE = "Draining a server of its long-lived connections"
ABOUT = """Above: a server of a rack holds that many keep-alive connections of kernel clients, with a few requests a
second on some, and is told to drain; the time is the server's, from that word until the last one has moved. All programs share
the cores of this machine, the clients' kernel included; the code alone (bench-drain) does the same in memory. Where a drain takes
long enough to tell, another hundred connections ask 1,000 requests a second before it and during it. Retransmissions are
those of the clients' kernels from the word to a second after its end. Below: connections of which half wait for their next request and half are
in the middle of a long answer, on our server while it is drained, on nginx and on HAProxy (before an nginx) while
they reload their configuration, with and without a bound on how long the old process may live. Lost is what was closed
or reset under its client; still tied are those that keep the old process alive when the watch ends."""
SIZES = (100, 1000, 10000, 100000)
HALF = 500  # of the comparison's connections
BOUND_S, WATCH_S = 2, 5
AIM_PER_S = 100000  # design: a drain, per core
ASKERS, ASK_RATE = 100, 1000  # connections, requests a second
ASK_FROM = 10000  # connections: a drain of fewer is over before enough are asked
HELD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "held.py")


def _until(true, seconds, what):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.01)


def _await_connections(live, cnt):
    """How many there are, once all are, or nearly all and no more come."""
    end, seen = time.monotonic() + 60, 0
    while seen < cnt and time.monotonic() < end:
        time.sleep(0.1)
        seen = live.ask("s1", "status")["connections"]
    if seen < 0.9 * cnt:
        raise Failed(f"only {seen} of {cnt} connections were open after a minute")
    return seen


def _drain(live):
    """Seconds until s1 was empty, as it says itself: asked often, it would take longer."""
    live.ask("s1", "drain")
    _until(lambda: live.ask("s1", "status")["connections"] == 0, 120, "draining")
    return live.ask("s1", "status")["moves"]["took_us"] / 1e6


def _retransmitted(live, clients):
    """Segments that the clients' kernels have sent again so far."""
    total = 0
    for c in clients:
        text = live.run("cat", "/proc/net/snmp", member=c)
        names, values = [l.split() for l in str(text, "ascii").splitlines() if l.startswith("Tcp:")]
        total += int(values[names.index("RetransSegs")])
    return total


def _ask(live, *options):
    return live.load("--connections", ASKERS, "--rate", ASK_RATE, "--bytes", 64, "--timeout-ms", 60000, *options,
                     member="c1", targets=["s1"], name="askers")


def _drain_asked(live, cnt):
    """The same while others ask: seconds, and what they saw before and during it."""
    before = _ask(live, "--seconds", 2).finish()
    asking = _ask(live, "--seconds", 0)
    _await_connections(live, cnt + ASKERS)
    seconds = _drain(live)
    asking.stop()
    during = asking.finish()
    return seconds, {"before_us": before["latency_us"], "during_us": during["latency_us"],
                     "errors": before["errors"] + during["errors"]}


def _client_cnt(cnt):
    """Of as many client machines as it takes: a connection is a file, and a process may have so many."""
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500, 50000)
    return next(n for n in range(1, cnt + 1) if cnt % n == 0 and cnt // n <= files)


def _size(h, cnt):
    """One drain of cnt connections."""
    room, clients = max(16384, 2 * cnt), [f"c{i + 1}" for i in range(_client_cnt(cnt))]
    with Rack(h, clients=len(clients), args=("--conn-max", room)) as live:
        for c in clients:
            live.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=2000 65000", member=c)
        loads = [live.load("--connections", cnt // len(clients), "--rate", -(-200 // len(clients)), "--bytes", 64,
                           "--seconds", 0, "--timeout-ms", 60000, member=c, targets=["s1"])
                 for c in clients]
        open_cnt = _await_connections(live, cnt)
        sent_again, asked = _retransmitted(live, clients), None
        if cnt >= ASK_FROM:
            seconds, asked = _drain_asked(live, cnt)
        else:
            seconds = _drain(live)
        moved = live.ask("s1", "status")["migrations_out"]
        time.sleep(1)
        sent_again = _retransmitted(live, clients) - sent_again
        for load in loads:
            load.stop()
        results = [load.finish() for load in loads]
    return {"connections": open_cnt, "seconds": seconds, "moved": moved, "asked": asked,
            "client_retransmits": sent_again,
            **{k: sum(r[k] for r in results) for k in ("requests", "errors", "resets")}}


def _ours(h, half):
    """The comparison's connections on our server."""
    with Rack(h) as live:
        process = live.rack.client(HELD, "client", live.rack.ip["s1"], "80", str(half), str(half),
                                   "/synthetic?bytes=16", "/events?interval_ms=200&count=0",
                                   str(h.size(WATCH_S, 2)), stdout=subprocess.PIPE, text=True)
        if process.stdout.readline() != "held\n":
            raise Failed("the client did not open its connections")
        seconds = _drain(live)
        told = json.loads(process.communicate(timeout=240)[0])
    return told | {"old_process_seconds": seconds, "bound_s": None, "who": "capybara"}


def _theirs(h, who, half, bound):
    need_root()
    need_tool("nginx", "nginx")
    need_tool(who, "nginx" if who == "nginx" else who)
    told = h.run_json("unshare", "--net", "--pid", "--mount-proc", "--fork", "--kill-child", HELD, who,
                      half, half, bound, h.size(WATCH_S, 2), timeout=240)
    return told | {"bound_s": bound or None, "who": who}


def measure(h):
    need_root()
    half, sizes, kept = h.size(HALF, 10), [], {}
    for cnt in h.size(SIZES, (20,)):
        try:
            sizes.append(_size(h, cnt))
            h.say(f"{cnt} connections: {sizes[-1]['seconds']:.3f} s")
        except Failed as failure:
            kept[f"a drain of {cnt:,}"] = str(failure)
    if not sizes:
        raise Failed(next(iter(kept.values())))
    alone = h.run_json(h.bench("bench-drain"), h.size(100000, 1000), h.size(5, 1))
    held = [_ours(h, half)]
    for who in ("nginx", "haproxy"):
        try:
            held += [_theirs(h, who, half, bound) for bound in (0, h.size(BOUND_S, 1))]
            h.say(who)
        except Skip as skip:
            kept[f"long-lived connections, {who} reloaded"] = str(skip)
    return {"sizes": sizes, "alone": alone, "held": held, "skipped": kept, "watch_s": h.size(WATCH_S, 2)}


def _fate(told, watch_s):
    tied = 0 if told["old_process_seconds"] is not None else told["held"] - told["lost"]
    words = f"{told['lost']} of {told['held']} lost"
    if tied:
        words += f", {tied} still tied after {watch_s} s"
    return words


def claims(data):
    most = data["sizes"][-1]
    yield holds(f"connections lost in a drain of {most['connections']:,}", "none",
                most["errors"] == 0 == most["resets"],
                f"{most['errors']} errors, {most['client_retransmits']} retransmissions")
    yield at_least(f"connections/s in that drain ({text(most['seconds'])} s), all on this machine", AIM_PER_S,
                   most["connections"] / most["seconds"], "", "the aim")
    if alone := data.get("alone"):  # an older run has none
        yield at_least("connections/s drained per core of servers, the code alone", AIM_PER_S,
                       alone["per_second_and_core"], "", "the aim")
    if asked := most.get("asked"):
        yield seen("p99 of requests to that server, before and during its drain",
                   f"{text(asked['before_us']['p99'])} and {text(asked['during_us']['p99'])} us")
    for told in data["held"]:
        bound = f", at most {told['bound_s']} s" if told["bound_s"] else ""
        if told["who"] == "capybara":
            here = _fate(told, data["watch_s"])
            yield holds("long-lived connections, server drained by migration", "none lost",
                        told["lost"] == 0 and told["answered_again"] == told["asked_again"],
                        f"{here}, empty after {text(told['old_process_seconds'])} s")
        else:
            name = {"nginx": "nginx", "haproxy": "HAProxy"}[told["who"]]
            yield seen(f"the same, {name} reloaded{bound}", _fate(told, data["watch_s"]))
    for who, why in data["skipped"].items():
        yield skipped(who, why)


def rows(data):
    yield ("who", "connections", "bound_s", "seconds", "lost", "idle_closed", "idle_reset", "stream_closed",
           "stream_reset", "client_retransmits", "p99_before_us", "p99_during_us")
    for s in data["sizes"]:
        yield ("capybara", s["connections"], "", s["seconds"], s["errors"], "", "", "", "",
               s["client_retransmits"], *((s["asked"][k]["p99"] for k in ("before_us", "during_us"))
                                          if s.get("asked") else ("", "")))
    for t in data["held"]:
        yield (t["who"], t["held"], t["bound_s"], t["old_process_seconds"], t["lost"], t["idle_closed"],
               t["idle_reset"], t["stream_closed"], t["stream_reset"], "", "", "")


def draw(data, canvas):
    above, below = canvas.panels(rows=2)
    above.plot([s["connections"] for s in data["sizes"]], [s["seconds"] for s in data["sizes"]],
               color=plot.OURS, marker="o", label="Capybara, all moved")
    above.set_xscale("log")
    above.set_yscale("log")
    plot.thousands(above.xaxis)
    plot.thousands(above.yaxis)
    above.set_xlabel("connections of the server")
    above.set_ylabel("seconds until empty")
    names = [t["who"] + (f"\nat most {t['bound_s']} s" if t["bound_s"] else "") for t in data["held"]]
    idle = [t["idle_closed"] + t["idle_reset"] for t in data["held"]]
    streams = [t["stream_closed"] + t["stream_reset"] for t in data["held"]]
    tied = [0 if t["old_process_seconds"] is not None else t["held"] - t["lost"] for t in data["held"]]
    lost = [i + s for i, s in zip(idle, streams)]
    kept = [t["held"] - n - l for t, n, l in zip(data["held"], tied, lost)]
    for values, left, color, label in (
            (kept, [0] * len(kept), plot.OURS, "moved, alive"),
            (tied, kept, plot.OTHERS[0], "alive, old process tied"),
            (idle, [k + n for k, n in zip(kept, tied)], "#e8a0aa", "lost while idle"),
            (streams, [k + n + i for k, n, i in zip(kept, tied, idle)], plot.LINUX, "lost in an answer")):
        below.barh(names, values, left=left, color=color, label=label, height=0.65)
    below.invert_yaxis()
    below.set_xlabel("connections")
    below.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.45, 1.18), fontsize=8.5)
