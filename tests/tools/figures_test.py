#!/usr/bin/env python3
"""bench/figures: verdicts follow from the data, also when they are bad; an earlier run can be drawn and
judged again; table, summary and report hold the same."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HOUSE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
FIGURES = os.path.join(HOUSE, "bench", "figures")
sys.path.insert(0, FIGURES)
sys.dont_write_bytecode = True

import claim  # noqa: E402
import harness  # noqa: E402


def system(mean_us):
    """host_cost's data of one system whose migrations take mean_us, the slowest twice that."""
    def s(us):
        return {"median": us * 1e3, "min": us * 1e3, "max": us * 1e3, "rounds": 1}
    return {"migrations": 3, "total": {"mean": s(mean_us), "p50": s(mean_us), "p99": s(2 * mean_us)},
            "steps": {"export": s(mean_us / 2), "import": s(mean_us / 2)},
            "distribution": {"cnt": 3, "fractions": [0, 0.5, 0.99, 1],
                             "values": [500 * mean_us, 1000 * mean_us, 2000 * mean_us, 2000 * mean_us]}}


def run_of(ours_us, linux_us):
    """What run keeps of a run whose Fig. 4 saw these means; linux_us None: it had no TCP_REPAIR."""
    r = None if linux_us is None else linux_us / ours_us
    ratio = {q: {"median": r, "min": r, "max": r, "rounds": 1} for q in ("mean", "p50", "p99")}
    data = {"systems": {"ours": system(ours_us)}, "linux_over_ours": ratio if r else None,
            "skipped": None if r else "no root"}
    if r:
        data["systems"]["linux"] = system(linux_us)
    machine = {"date": "2026-01-02 03:04:05 UTC", "commit": "abc", "cpu": "<some> cpu", "cores": 2,
               "virtual": False, "memory_gib": 1.0, "kernel": "6", "compiler": "gcc",
               "load_average": 0.0}
    return {"machine": machine, "quick": False,
            "figures": {"fig4": {"seconds": 1, "data": data, "reason": None, "failed": False}}}


class Figures(unittest.TestCase):
    def setUp(self):
        self.out = tempfile.TemporaryDirectory()
        self.addCleanup(self.out.cleanup)

    def run_figures(self, run, *more, status=0):
        path = os.path.join(self.out.name, "earlier.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write(run if isinstance(run, str) else json.dumps(run))
        p = subprocess.run([os.path.join(FIGURES, "run"), "--from", path, "--out", self.out.name, *more],
                           capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(p.returncode, status, p.stderr)
        return p

    def read(self, name):
        with open(os.path.join(self.out.name, name), encoding="utf-8") as f:
            return f.read()

    def verdicts(self):
        return {(c["claim"], c["paper"]): c for c in json.loads(self.read("summary.json"))}

    def test_comparisons(self):
        self.assertEqual(claim.at_least("c", 12, 14.2, "x").verdict, "above the paper")
        self.assertEqual(claim.at_least("c", 12, 12, "x").outcome, claim.HOLDS)
        self.assertEqual(claim.at_least("c", 12, 11.9, "x").outcome, claim.FAILS)
        self.assertEqual(claim.at_most("c", 3.7, 3.6, " us").outcome, claim.HOLDS)
        self.assertEqual(claim.at_most("c", 3.7, 3.8, " us").verdict, "worse than the paper")
        self.assertEqual(claim.holds("c", "", False, "seen").outcome, claim.FAILS)
        self.assertEqual(claim.skipped("c", "no nginx").verdict, "skipped: no nginx")

    def test_quantiles(self):
        self.assertEqual([harness.quantile([1, 2, 3, 4], f) for f in (0, 0.25, 0.5, 0.51, 1)],
                         [1, 1, 2, 3, 4])
        d = harness.distribution(range(1, 1001))
        self.assertEqual([harness.at(d, f) for f in (0.5, 0.99, 0.999, 1.0)], [500, 990, 999, 1000])
        self.assertIsNone(harness.distribution([]))
        self.assertEqual(harness.spread([3, None, 1, 2]),
                         {"median": 2, "min": 1, "max": 3, "rounds": 3})

    def test_by_turns_and_in_both_orders(self):
        seen = []
        h = harness.Harness("build", self.out.name, True)
        h.say = lambda _: None
        h.by_turns(3, a=lambda: seen.append("a"), b=lambda: seen.append("b"))
        self.assertEqual("".join(seen), "abbaab")

    def test_dump_is_json(self):
        value = {"a": [1, {"b": [2, 3]}], "c": {}, "d": None, "e": [[], ["x"]]}
        path = os.path.join(self.out.name, "x.json")
        harness.dump(value, path)
        self.assertEqual(json.loads(self.read("x.json")), value)

    def test_good_run(self):
        p = self.run_figures(run_of(0.5, 45))
        made = self.verdicts()
        ratio = "average host cost, Linux over ours"
        self.assertEqual(made[ratio, "12x"]["here"], "90x")
        self.assertEqual(made[ratio, "12x"]["verdict"], "above the paper")
        self.assertEqual({c["outcome"] for c in made.values()} - {"none"}, {"holds"})
        self.assertIn("above the paper", p.stdout)
        report = self.read("report.html")
        self.assertIn("above the paper", report)
        self.assertIn("&lt;some&gt; cpu", report)
        self.assertNotIn("http", report.replace("http://www.w3.org", ""))
        self.assertEqual(self.read("fig4.csv").splitlines()[0], "system,step,mean_ns,min_ns,max_ns")

    def test_bad_run_says_so(self):
        self.run_figures(run_of(10, 40))
        made = self.verdicts()
        self.assertEqual(made["average host cost, Linux over ours", "12x"]["verdict"], "below the paper")
        self.assertEqual(made["average host cost of a migration", "3.7 us"]["outcome"], "fails")

    def test_what_was_not_measured(self):
        run = run_of(1, None)
        run["figures"]["fig5"] = {"seconds": 0, "data": None, "reason": "skipped: no such thing",
                                  "failed": False}
        with open(os.path.join(self.out.name, "fig5.csv"), "w", encoding="utf-8") as f:
            f.write("of an older run")
        self.run_figures(run)
        self.assertFalse(os.path.exists(os.path.join(self.out.name, "fig5.csv")))
        verdicts = [c["verdict"] for c in self.verdicts().values()]
        self.assertIn("skipped: no root", verdicts)
        self.assertIn("skipped: no such thing", verdicts)

    def test_failure_is_told_by_the_status(self):
        run = run_of(1, 2)
        run["figures"]["fig4"].update(data=None, reason="failed: it broke", failed=True)
        self.run_figures(run, status=1)
        self.assertIn("failed: it broke", self.read("summary.json"))

    def test_bad_input(self):
        for text in ("no json", "{}", "[1]", '{"machine": {}, "quick": false, "figures": {"fig4": {}}}'):
            p = self.run_figures(text, status=1)
            self.assertIn("give the run.json of an earlier run", p.stderr)
            self.assertEqual(len(p.stderr.strip().splitlines()), 1)
        self.run_figures(run_of(1, 2), "--save-reference", status=2)


if __name__ == "__main__":
    unittest.main()
