#!/usr/bin/env python3
"""`capy load` against a rack whose connections move: on the kernel's sockets and on our own TCP, open loop
and closed, with skew, shifts, sweep, series and marks; and what it does when servers err."""

import csv
import json
import os

from rack import CAPY, IPV4, IPV6, OUT, Failure, Mover, Rack, check, each, main, moved

CONNECTIONS = 48
RATE = 400
SECONDS = 3
OWN = ["--device", "eth0"]


def load(rack, *argv, **options):
    """Runs it to its end; what it found."""
    path = os.path.join(OUT, "load.json")
    rack.run(CAPY, "load", "--json", path, *argv, **options)
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def targets(rack):
    return [rack.host(s) for s in rack.servers]


def must_be_clean(result, due, all_sent=True):
    """all_sent: it did not end by the clock, before which a busy machine may not get everything out."""
    check(result["errors"] == 0 and result["resets"] == 0, f"clients saw errors: {result}")
    check(result["due"] == due, f"{due} requests were due, not {result['due']}")
    check(result["requests"] + result["never_sent"] == due, f"some of {due} are lost: {result}")
    check(not all_sent or result["never_sent"] == 0, f"{result['never_sent']} were not sent")
    times = result["latency_us"]
    order = [times[q] for q in ("p50", "p90", "p99", "p999", "p9999", "max")]
    check(order == sorted(order) and order[0] > 0, f"no percentiles: {times}")
    check(result["service_us"]["max"] <= times["max"], "sent before it was due")


def open_loop(rack, transport):
    """As many as the seed says are due, and all of them are answered while their connections move; the
    series adds up, and has the migrations."""
    table = os.path.join(OUT, "series.csv")
    argv = ["--connections", str(CONNECTIONS), "--rate", str(RATE), "--requests",
            str(RATE * SECONDS), "--seconds", "0", "--skew", "zipf:0.5", "--csv", table,
            "--interval", "50ms", "--marks", rack.dir]
    before = moved(rack)
    with Mover(rack, pause_s=0.1):
        result = load(rack, *transport, *argv, *targets(rack))
    count = moved(rack) - before
    must_be_clean(result, RATE * SECONDS)
    check(len(result["servers"]) == 3, f"not all servers answered: {result['servers']}")
    check(sum(result["servers"].values()) == RATE * SECONDS, f"not all counted: {result['servers']}")
    series = result["series"]
    check(sum(r["answered"] for r in series) == result["requests"], "the series lacks answers")
    check(sum(r["due"] for r in series) == result["due"], "the series lacks requests")
    marks = len(result["migrations_at"])
    check(0 < marks <= count + CONNECTIONS, f"{marks} marks of {count} migrations")
    check(sum(r["migrations"] for r in series) == marks, "the series lacks migrations")
    with open(table, encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    check(len(rows) == len(series) and sum(int(r["s1"]) for r in rows) == result["servers"]["s1"],
          "the CSV is another series")
    print(f"{result['transport']}: {count} migrations, p99 {result['latency_us']['p99']:.0f} us",
          flush=True)


def shares(rack, transport):
    """Weights and their shift decide who works."""
    result = load(rack, *transport, "--connections", "12", "--rate", "1000", "--arrivals",
                  "constant", "--requests", "1999", "--seconds", "0", "--weights", "1,0,0",
                  "--shift", "1s:weights=0,0,1", *targets(rack))
    must_be_clean(result, 1999)
    check(result["servers"] == {"s1": 999, "s3": 1000}, f"wrong shares: {result['servers']}")


def closed_loop(rack, transport):
    result = load(rack, *transport, "--connections", "8", "--requests", "2000", "--seconds", "0",
                  *targets(rack))
    must_be_clean(result, 2000)


def sweep(rack, transport):
    table = os.path.join(OUT, "sweep.csv")
    result = load(rack, *transport, "--connections", "8", "--sweep", "200..600/200", "--arrivals",
                  "constant", "--seconds", "0.5", "--warm-up", "100ms", "--csv", table,
                  *targets(rack))
    rates = [r["asked"]["rate"] for r in result["sweep"]]
    check(rates == [200, 400, 600], f"not the rates: {rates}")
    for r in result["sweep"]:
        must_be_clean(r, r["asked"]["rate"] // 2, all_sent=False)
    check(any(r["warm_up_requests"] > 0 for r in result["sweep"]), "no warm-up")  # a stall may be longer than one
    with open(table, encoding="utf-8") as f:
        check([int(r["rate"]) for r in csv.DictReader(f)] == rates, "the CSV is another sweep")


def progress(rack, transport):
    """The program that started it is told in JSON and in nothing else, and at last how it ended."""
    for argv, count in ((["--requests", "700", "--seconds", "0"], 700),
                        (["--sweep", "200..400/200", "--arrivals", "constant", "--seconds", "0.5"], 1)):
        out = rack.run(CAPY, "load", *transport, "--connections", "4", "--live-ms", "200", *argv,
                       *targets(rack))
        told = [json.loads(line) for line in out.splitlines()]
        check(told[-1]["requests"] >= count, f"the last that it told: {told[-1]}, not {count}")


def all_of_it(version):
    with Rack(version=version) as rack:
        for transport in ([], OWN):
            open_loop(rack, transport)
            shares(rack, transport)
            closed_loop(rack, transport)
            sweep(rack, transport)
            progress(rack, transport)


def fails(rack, transport, kind, *argv):
    """It goes on to its end, counts what went wrong, and says so by its exit status."""
    path = os.path.join(OUT, "failed.json")
    try:
        rack.run(CAPY, "load", *transport, "--json", path, *argv)
        raise Failure(f"{argv}: nothing was wrong")
    except Failure as f:
        check("exit status 1" in str(f), str(f))
    with open(path, encoding="utf-8") as f:
        result = json.load(f)
    kinds = result["errors_by_kind"]
    check(kinds[kind] > 0, f"no {kind}: {kinds}")
    # The first may be of another kind: who has 100 ms may not even be connected by then.
    check(any(k in result["first_error"] for k in kinds if kinds[k] > 0), f"not said: {result['first_error']}")


def errors(rack, transport):
    some = ["--connections", "4", "--seconds", "1"]
    fails(rack, transport, "connect", *some, rack.host("s1") + ":81")  # nobody listens
    fails(rack, transport, "timeout", *some, "--us", "300000", "--timeout-ms", "100",
          rack.host("s1"))
    rack.steer("kill", "s2")  # its socket stays, and nobody answers there
    fails(rack, transport, "connect", *some, "--timeout-ms", "200", "--interval", "50ms", "--marks",
          rack.dir, rack.host("s2"))
    rack.steer("start", "s2")


def test():
    each((IPV4, IPV6), all_of_it)
    with Rack() as rack:
        for transport in ([], OWN):
            errors(rack, transport)


if __name__ == "__main__":
    main(test)
