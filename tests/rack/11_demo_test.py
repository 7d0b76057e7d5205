#!/usr/bin/env python3
"""`capy demo`, small: 1,000 migrations under load; no error, no reset, a complete result."""

import json
import os
import subprocess

import observe
from rack import BRIEF, CAPY, HAS_IPV6, OUT, PATIENCE_S, PLANE, check, explain, main

KEYS = {"migrations", "migrations_refused", "requests", "errors", "resets", "client_retransmits",
        "requests_per_second", "migration_host_us", "migration_pause_us", "latency_us",
        "connections", "connections_served_by_all", "servers", "driver"}


def demo(*more):
    path = os.path.join(OUT, "demo.json")
    watched = observe.asked_for() and PLANE == "user"
    if watched:
        more = (*more, "--capture", observe.directory("demo"))
    p = subprocess.run([CAPY, "demo", "--migrations", "3000", "--plane", PLANE, "--dir", os.path.join(OUT, "demo"),
                        "--json", path, *more], capture_output=True, timeout=3 * PATIENCE_S)
    check(p.returncode == 0, explain(p, p.stderr, p.stdout))
    with open(path) as f:
        result = json.load(f)
    check(KEYS <= set(result), f"missing in the result: {KEYS - set(result)}")
    check(result["migrations"] == 3000, f"{result['migrations']} migrations, not 3000")
    check(result["errors"] == 0 and result["resets"] == 0, "clients saw errors")
    check(result["connections_served_by_all"] == 64, "some connections were not everywhere")
    steps = result["migration_host_us"]["steps"]
    check(all(steps[s]["p50"] > 0 for s in ("prepare", "admit", "export", "import", "free")),
          f"a step without cost: {steps}")
    if watched:
        observe.judge("demo")


def test():
    demo()
    if BRIEF:
        return
    demo("--encrypt")
    if HAS_IPV6:
        demo("--ipv6")


if __name__ == "__main__":
    main(test)
