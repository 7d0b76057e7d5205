"""What all figures share: how a program is run, how several take turns, and what is made of rounds."""

import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Skip(Exception):
    """This machine cannot measure it: the reason, for table and summary."""


class Failed(Exception):
    """It should have been measured, and was not."""


class Harness:
    """What a figure's measure() is given.

    quick   as few and small runs as show that everything works: the figures mean nothing
    build   directory of the release build
    out     where results go; live racks keep their files below it"""

    def __init__(self, build, out, quick):
        self.build, self.out, self.quick = build, out, quick

    def size(self, full, quick):
        """How much to do."""
        return quick if self.quick else full

    def say(self, words):
        print(f"    {words}", flush=True)

    def bench(self, name):
        """The path of a bench program, or Skip."""
        path = os.path.join(self.build, "bench", name)
        if not os.access(path, os.X_OK):
            raise Skip(f"{path} is not built: make")
        return path

    @property
    def capy(self):
        path = os.path.join(self.build, "apps", "capy")
        if not os.access(path, os.X_OK):
            raise Skip(f"{path} is not built: make")
        return path

    def run(self, *argv, timeout=300, **options):
        """Runs a program to its end; what it printed, or Failed with the end of what it complained of."""
        argv = [str(a) for a in argv]
        try:
            p = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False,
                               cwd=ROOT, **options)
        except subprocess.TimeoutExpired:
            raise Failed(f"{' '.join(argv)}: not done in {timeout} s") from None
        if p.returncode != 0:
            lines = (p.stderr.strip() or p.stdout.strip()).splitlines() or ["no word"]
            raise Failed(f"{' '.join(argv)}: exit status {p.returncode}: {lines[-1]}")
        return p.stdout

    def run_json(self, *argv, **options):
        out = self.run(*argv, **options)
        try:
            return json.loads(out)
        except ValueError:
            raise Failed(f"{argv[0]}: printed no JSON") from None

    def by_turns(self, cnt, **competitors):
        """{name: [result of each round]}: all take turns in each round, in the other order every
        second time, so that what drifts on the machine drifts for all."""
        results = {name: [] for name in competitors}
        for number in range(cnt):
            names = list(competitors)
            for name in names if number % 2 == 0 else reversed(names):
                began = time.monotonic()
                results[name].append(competitors[name]())
                self.say(f"round {number + 1} of {cnt}: {name}, {time.monotonic() - began:.1f} s")
        return results


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root, for network namespaces")


def need_tool(name, package=None):
    """Its path, also where daemons lie that are in no user's PATH."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not path:
        raise Skip(f"{name} is not installed: apt-get install {package or name}")
    return path


def spread(values):
    """Of several rounds: the median counts, the extremes say how far to trust it."""
    values = [v for v in values if v is not None]
    if not values:
        return None
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "rounds": len(values)}


def quantile(ordered, fraction):
    """Of sorted values: the one at or below which this fraction lies."""
    return ordered[max(0, math.ceil(round(fraction * len(ordered), 6)) - 1)]


# At which fractions distributions are kept: close together where tails begin.
FRACTIONS = ([i / 100 for i in range(0, 99)] + [0.99 + i / 1000 for i in range(0, 9)] +
             [0.999, 0.9995, 0.9999, 1.0])


def distribution(values):
    """A distribution as JSON: its quantiles at FRACTIONS, and the mean. None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return {"cnt": len(ordered), "mean": sum(ordered) / len(ordered), "fractions": FRACTIONS,
            "values": [quantile(ordered, f) for f in FRACTIONS]}


def at(dist, fraction):
    """A quantile of distribution()'s result, or of a bench's: one that is kept."""
    return dist["values"][dist["fractions"].index(fraction)]


def dump(value, path):
    """JSON that people can find their way in, and that a version control stores well: what is flat
    stands on one line."""
    with open(path, "w", encoding="utf-8") as f:
        f.write(_lines(value, "") + "\n")


def _lines(value, indent):
    inner = value.values() if isinstance(value, dict) else value
    if not isinstance(value, (dict, list)) or not any(isinstance(v, (dict, list)) for v in inner):
        return json.dumps(value)
    more = indent + " "
    if isinstance(value, dict):
        parts = [f"{more}{json.dumps(str(k))}: {_lines(v, more)}" for k, v in value.items()]
        return "{\n" + ",\n".join(parts) + f"\n{indent}}}"
    return "[\n" + ",\n".join(more + _lines(v, more) for v in value) + f"\n{indent}]"


def warn(words):
    print(f"figures: {words}", file=sys.stderr, flush=True)
