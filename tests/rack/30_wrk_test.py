#!/usr/bin/env python3
"""wrk, an unmodified client, for a few seconds while all its connections move."""

import re
import signal
import subprocess
import time

from rack import PATIENCE_S, VERSIONS, Mover, Rack, check, each, explain, finished, main, moved, until

SECONDS, MOVES = 5, 500


def wrk(version):
    with Rack(version=version) as rack:
        process = rack.client("wrk", "-t", "1", "-c", "32", "-d", f"{2 * PATIENCE_S}s", "--timeout", f"{PATIENCE_S}s",
                              rack.url("/synthetic?bytes=512&seed=7"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with Mover(rack):
            time.sleep(SECONDS)
            until(lambda: moved(rack) >= MOVES, f"{MOVES} moves")
            process.send_signal(signal.SIGINT)  # it ends, and tells what it saw
            out, err = finished(process, "wrk ends")
        check(process.returncode == 0, explain(process, err, out))
        print(f"moved {moved(rack)} times", flush=True)
        out = out.decode()
        check("Socket errors" not in out and "Non-2xx" not in out, f"wrk saw errors:\n{out}")
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
        check(rate > 100, f"wrk got {rate} answers per second:\n{out}")


def test():
    each(VERSIONS, wrk)


if __name__ == "__main__":
    main(test, "wrk")
