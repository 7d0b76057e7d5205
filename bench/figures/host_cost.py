"""What Fig. 4 and Fig. 5 draw: the host cost of migrations, ours and TCP_REPAIR's, measured once for
both by bench/migrate.c, several times over. Times in nanoseconds."""

from harness import spread

KEPT = None  # of the run: the two figures are two views of the same measurements


def measure(h):
    global KEPT
    if KEPT is None:
        KEPT = _measure(h)
    return KEPT


def _measure(h):
    program = h.bench("bench-migrate")
    cnt = h.size(100000, 200)  # and a tenth as many of the kernel's: 10,000
    runs = h.by_turns(h.size(3, 1), migrate=lambda: h.run_json(program, cnt))["migrate"]
    last = runs[-1]
    systems = {"ours": _system(runs, "")}
    if "linux_host_ns" in last:
        systems["linux"] = _system(runs, "linux_")
    ratio = {q: spread([r["linux_over_ours"][q] for r in runs if "linux_over_ours" in r])
             for q in ("mean", "p50", "p99")} if "linux" in systems else None
    fair = [r["linux_with_messages_over_ours"] for r in runs if "linux_with_messages_over_ours" in r]
    return {"systems": systems, "linux_over_ours": ratio,
            "with_messages": {q: spread([r[q] for r in fair]) for q in ("mean", "p50", "p99")}
            if fair else None,
            "cold": _cold(runs),
            "skipped": None if ratio else "TCP_REPAIR needs root (CAP_NET_ADMIN)"}


def _cold(runs):
    """Each step with cold caches: nanoseconds, and the ratios in the same run. None: not measured."""
    cold = [r["cold"] for r in runs if "linux_over_ours" in r.get("cold", {})]
    keys = ("host_ns", "linux_host_ns", "linux_with_messages_ns", "linux_over_ours",
            "linux_with_messages_over_ours")
    return {k: {q: spread([c[k][q] for c in cold]) for q in ("p50", "mean")} for k in keys} if cold else None


def _system(runs, prefix):
    steps = [r[prefix + "step_mean_ns"] for r in runs]
    return {
        "migrations": sum(r[prefix + "host_ns_distribution"]["cnt"] for r in runs),
        "total": {q: spread([r[prefix + "host_ns"][q] for r in runs])
                  for q in ("mean", "p50", "p99")},
        "steps": {name: spread([s[name] for s in steps]) for name in steps[0]},
        "distribution": runs[-1][prefix + "host_ns_distribution"],
    }
