"""What the live comparison claims, and whether this run bears it out: rows of claim, here, verdict."""

RATIO_AIM = 0.9  # of kernel to kernel, or better
JAIN_AIM = 0.9
ERRORS_APART = 2  # a ratio is below the aim when it is by so many of its standard errors

YES, OPEN, NO = "yes", "too close to tell", "no"


def row(claim, here, verdict):
    return {"claim": claim, "here": here, "verdict": verdict}


def worst_of(verdicts):
    return NO if NO in verdicts else OPEN if OPEN in verdicts else YES


def bulk_verdict(r):
    if r["failed"] or not r["ratio"]:
        return NO
    if r["ratio"] >= RATIO_AIM:
        return YES
    error = r["ratio_error"] or 0
    return OPEN if r["ratio"] + ERRORS_APART * error >= RATIO_AIM else NO


def of_bulk(version, condition, rows):
    """One row for the pairs with us in them: the worst one is told."""
    ours = {name: r for name, r in rows.items() if "our" in name}
    verdicts = [bulk_verdict(r) for r in ours.values()]
    name, worst = min(ours.items(), key=lambda item: item[1]["ratio"] or 0)
    best = max(r["ratio"] or 0 for r in ours.values())
    error = f" +- {worst['ratio_error']:.2f}" if worst["ratio_error"] else ""
    failed = sum(r["failed"] for r in ours.values())
    return row(f"IPv{version}, bulk, {condition}: at least {RATIO_AIM} of kernel to kernel, both roles",
               f"{worst['ratio'] or 0:.2f}{error} ({name}) to {best:.2f}"
               + (f"; {failed} failed" if failed else ""),
               worst_of(verdicts))


def latency_verdict(ratio, error):
    most = 1 / RATIO_AIM
    return YES if ratio <= most else OPEN if ratio - ERRORS_APART * error <= most else NO


def of_latency(version, rows, quantile):
    ours = [(r[f"ratio_{quantile}"], r[f"ratio_error_{quantile}"])
            for name, r in rows.items() if "our" in name]
    verdicts = [latency_verdict(*pair) for pair in ours]
    return row(f"IPv{version}, latency {quantile}: at most {1 / RATIO_AIM:.2f} of kernel to kernel, both roles",
               " and ".join(f"{ratio:.2f} +- {error:.2f}" for ratio, error in ours), worst_of(verdicts))


def of_fairness(version, rows):
    ours = {name: r["jain_median"] for name, r in rows.items() if "ours" in name}
    return row(f"IPv{version}, two flows on one line: Jain at least {JAIN_AIM}",
               ", ".join(f"{name} {value:.3f}" for name, value in ours.items()),
               YES if min(ours.values()) >= JAIN_AIM else NO)


def all_of(result):
    claims = []
    for version, part in result["versions"].items():
        claims += [of_bulk(version, condition, rows) for condition, rows in part.get("bulk", {}).items()]
        if "latency" in part:
            claims += [of_latency(version, part["latency"], q) for q in ("p50", "p99")]
        if "fairness" in part:
            claims.append(of_fairness(version, part["fairness"]))
    return claims


def show(claims):
    head = row("claim", "here", "verdict")
    wide = {key: max(len(c[key]) for c in [head, *claims]) for key in ("claim", "here")}
    print()
    for c in [head, *claims]:
        print(f"{c['claim']:<{wide['claim']}}  {c['here']:<{wide['here']}}  {c['verdict']}", flush=True)
