"""Single measurements of the live comparison: one transfer, one run of requests, one race."""

import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "rack"))

from rack import CAPY, Failure  # noqa: E402  (the live tests' rack is this bench's)

KERNEL = os.path.join(os.path.dirname(os.path.dirname(CAPY)), "bench", "bench-kernel")
CUBIC_PORT, DEFAULT_PORT = "8000", "8001"
TIMEOUT_S = 40


class Net:
    """Who is where, in one IP version. Our server is s1 (and s2, for a second flow), our client
    c3; the kernel's client is c1, its server c2: all one cable from the switch."""

    def __init__(self, rack, version):
        self.rack = rack
        v6 = version == 6
        self.prefix = 64 if v6 else 24
        self.address = {}
        for kind, first in (("s", 10), ("c", 100)):
            for i in (1, 2, 3):
                self.address[f"{kind}{i}"] = (
                    f"fd99::{first + i}" if v6 else f"10.99.0.{first + i}")

    def serve(self):
        """The kernel's servers, with CUBIC and with what the kernel prefers."""
        for port, cc in ((CUBIC_PORT, "cubic"), (DEFAULT_PORT, "default")):
            self.rack.client(KERNEL, "serve", port, cc, member="c2")

    def url(self, server, path):
        ip, port = self.address[server], "80" if server[0] == "s" else CUBIC_PORT
        return f"[{ip}]:{port}{path}" if ":" in ip else f"{ip}:{port}{path}"

    def kernel(self, verb, server, number, port=None, cc="cubic"):
        port = port or ("80" if server[0] == "s" else CUBIC_PORT)
        return json.loads(self.rack.run(KERNEL, verb, self.address[server], port, cc, str(number),
                                        member="c1", timeout=TIMEOUT_S))

    def ours(self, *argv):
        address = f"{self.address['c3']}/{self.prefix}"
        return json.loads(self.rack.run(CAPY, "get", "--device", "eth0", "--address", address,
                                        "--no-hash", "--json", "-", *argv, member="c3",
                                        timeout=TIMEOUT_S))

    def our_transfer(self, number, *argv):
        """As the kernel's client counts it: from the first byte of the request, not from the SYN."""
        result = self.ours(*argv)
        return {**result, "bytes_per_second": number / (result["latency_us"]["max"] / 1e6)}


# Bulk: name -> function of a net and a number of bytes, which tells bytes/s. Who sends is named
# first. "kernel" alone is what the others are compared with.
BULK = {
    "down: kernel to kernel": lambda n, b: n.kernel("get", "c2", b),
    "down: our server to kernel": lambda n, b: n.kernel("get", "s1", b),
    "down: kernel to our client":
        lambda n, b: n.our_transfer(b, n.url("c2", f"/synthetic?bytes={b}")),
    "up: kernel to kernel": lambda n, b: n.kernel("put", "c2", b),
    "up: kernel to our server": lambda n, b: n.kernel("put", "s1", b),
    "up: our client to kernel":
        lambda n, b: n.our_transfer(b, "--send", str(b), n.url("c2", "/upload")),
    "down: kernel to kernel, its default":
        lambda n, b: n.kernel("get", "c2", b, DEFAULT_PORT, "default"),
}
ONCE_A_ROUND = ("down: kernel to kernel, its default",)  # nothing is compared with it
BULK_REFERENCE = {"down": "down: kernel to kernel", "up": "up: kernel to kernel"}

# Request and response: name -> function of a net and a number of requests.
LATENCY = {
    "kernel, kernel": lambda n, c: n.kernel("ask", "c2", c),
    "kernel asks our server": lambda n, c: n.kernel("ask", "s1", c),
    "our client asks kernel":
        lambda n, c: n.ours("--repeat", str(c), n.url("c2", "/synthetic?bytes=64")),
}
LATENCY_REFERENCE = "kernel, kernel"

# Two flows to one client through one line: the servers that send.
RACES = {
    "kernel and kernel": ("c2", "c2"),
    "ours and kernel": ("s1", "c2"),
    "ours and ours": ("s1", "s2"),
}


def goodput(net, name, size):
    """bytes/s, or None when it failed or took too long: then stderr says why."""
    try:
        return BULK[name](net, size)["bytes_per_second"]
    except Failure as failure:
        print(f"  {name}: {failure}", file=sys.stderr, flush=True)
        return None


def race(net, servers, seconds, skip_s):
    """Two flows, begun together: the bytes/s of each from skip_s on."""
    flows = [net.rack.client(KERNEL, "watch", net.address[s], "80" if s[0] == "s" else CUBIC_PORT,
                             "cubic", str(seconds), member="c1", stdout=subprocess.PIPE)
             for s in servers]
    rates = []
    for flow in flows:
        seen = json.loads(flow.communicate(timeout=seconds + TIMEOUT_S)[0])
        kept = seen["bytes"][round(skip_s / seen["interval"]):]
        rates.append(sum(kept) / (len(kept) * seen["interval"]))
    return rates


def jain(rates):
    """Jain's fairness index: 1 when all are equal, 1/n when one has everything."""
    return sum(rates) ** 2 / (len(rates) * sum(r * r for r in rates)) if any(rates) else 0.0
