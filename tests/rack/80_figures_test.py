#!/usr/bin/env python3
"""`make figures`, in small: every figure is measured, or skipped by name; its files are there and of the
right shape. No figure's value is judged: this is no time and no place to measure."""

import json
import os
import subprocess

from rack import CAPY, OUT, ROOT, check, main, skip

BUILD = os.path.dirname(os.path.dirname(CAPY))
RUN = os.path.join(ROOT, "bench", "figures", "run")


def load(name):
    with open(os.path.join(OUT, name), encoding="utf-8") as f:
        return json.load(f)


def check_figure(name, result, plots):
    if result["data"] is None:
        check(result["reason"].startswith("skipped: "), f"{name}: {result['reason']}")
        print(f"{name}: {result['reason']}")
        return
    check(result["claims"], f"{name}: no claim")
    with open(os.path.join(OUT, name + ".csv"), encoding="utf-8") as f:
        columns = {line.count(",") for line in f}
    check(len(columns) == 1, f"{name}.csv: rows of different length")
    check(not plots or os.path.getsize(os.path.join(OUT, name + ".png")) > 5000, f"{name}.png is empty")


def test():
    if not os.access("/usr/bin/python3", os.X_OK):
        skip("needs Debian's python3")
    p = subprocess.run([RUN, "--quick", "--build", BUILD, "--out", OUT], capture_output=True, text=True,
                       timeout=840, check=False)
    check(p.returncode == 0, f"exit status {p.returncode}: {p.stdout}{p.stderr}")
    plots = "no plots" not in p.stderr
    if not plots:
        print("without plots: matplotlib is not installed")
    run, summary = load("run.json"), load("summary.json")
    for name, result in run["figures"].items():
        check_figure(name, result, plots)
    check(summary == [c for r in run["figures"].values() for c in r["claims"]],
          "summary.json holds something else than the figures")
    check(all({"claim", "paper", "here", "verdict"} <= set(c) for c in summary), "a claim lacks a key")
    with open(os.path.join(OUT, "report.html"), encoding="utf-8") as f:
        report = f.read()
    check(all(f"id='{name}'" in report for name in run["figures"]), "report.html lacks a figure")
    check("src='http" not in report and "href='http" not in report, "report.html needs the network")


if __name__ == "__main__":
    main(test)
