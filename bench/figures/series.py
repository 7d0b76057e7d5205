"""What a migration costs the servers against what the connection has queued, and against how many
connections are open beside it."""

import plot
from claim import at_most, holds, text
from harness import Failed, Skip

TITLE = "Host cost against queued bytes and open connections"
ABOUT = """In memory, as Fig. 4. Queued bytes wait in the connection's send queue and move with it, in fragments: the
cost of the protocol, then that of the bytes. Open connections are held by both servers; some thousands of them move,
scattered, so that each is found in a cold cache. The median of each point counts."""
# Design: memory is met once per connection, so what many cost more than one is cache misses.
COLD_MAX = 10


def measure(h):
    program = h.bench("bench-migrate")
    if h.quick:
        raise Skip("takes a minute and much memory, and knows nothing shorter")
    try:
        return h.run_json(program, "sweep", timeout=300)
    except Failed as failure:
        if "are needed" in str(failure):
            raise Skip("this version of bench-migrate has no sweep") from None
        raise


def claims(data):
    none, most = data["queued"][0], data["queued"][-1]
    per_kib = ((most["host_ns"]["p50"] - none["host_ns"]["p50"]) / (most["bytes"] / 1024))
    yield at_most(f"host cost with {most['bytes'] >> 10} KiB queued, per KiB, against a copy at 1 GB/s on "
                  "either side", 2048, per_kib, " ns", "that")
    one, many = data["open"][0], data["open"][-1]
    ratio = many["host_ns"]["p50"] / one["host_ns"]["p50"]
    yield holds(f"host cost with {many['connections']:,} connections open beside one", f"at most {COLD_MAX}x",
                ratio <= COLD_MAX,
                f"{ratio:.1f}x: {text(one['host_ns']['p50'] / 1e3)} us, {text(many['host_ns']['p50'] / 1e3)} us")


def rows(data):
    yield "series", "x", "p50_ns", "p90_ns", "p99_ns", "mean_ns"
    for series, key in (("queued", "bytes"), ("open", "connections")):
        for p in data[series]:
            c = p["host_ns"]
            yield series, p[key], c["p50"], c["p90"], c["p99"], c["mean"]


def draw(data, canvas):
    for axes, series, key, label in zip(canvas.panels(rows=2), ("queued", "open"), ("bytes", "connections"),
                                        ("bytes queued", "connections open")):
        x = [p[key] for p in data[series]]
        for q, color in (("p50", plot.OURS), ("p99", plot.LINUX)):
            axes.plot(x, [p["host_ns"][q] / 1e3 for p in data[series]], color=color, marker="o",
                      markersize=4, label={"p50": "median", "p99": "99th percentile"}[q])
        if series == "queued":
            axes.set_xscale("symlog", linthresh=1024)
        else:
            axes.set_xscale("log")
        axes.set_yscale("log")
        plot.thousands(axes.xaxis)
        plot.thousands(axes.yaxis)
        axes.set_xlabel(label)
        axes.set_ylabel("host cost, us")
        axes.legend()
