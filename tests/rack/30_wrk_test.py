#!/usr/bin/env python3
"""wrk, an unmodified client, for a few seconds while all its connections move."""

import re
import subprocess

from rack import VERSIONS, Rack, check, each, main
from transfers import while_moving


def wrk(version):
    with Rack(version=version) as rack:
        process = rack.client("wrk", "-t", "1", "-c", "32", "-d", "5s",
                              rack.url("/synthetic?bytes=512&seed=7"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out = while_moving(rack, process, 500, 30).decode()
        check("Socket errors" not in out and "Non-2xx" not in out, f"wrk saw errors:\n{out}")
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
        check(rate > 100, f"wrk got {rate} answers per second:\n{out}")


def test():
    each(VERSIONS, wrk)


if __name__ == "__main__":
    main(test, "wrk")
