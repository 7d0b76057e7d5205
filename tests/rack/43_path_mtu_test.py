#!/usr/bin/env python3
"""A router says "packet too big" about a connection that has moved. It quotes the address that the client
knows; its word must come to the server that runs the connection, which sends smaller segments from
then on. The client plays the router, for there is none in the rack."""

import json

from crash import Transfer
from rack import OUT, VERSIONS, Rack, check, each, main, moved, until

MTU = 1280  # of the path, as the router has it: the least of IPv6, and fine for IPv4

# Answers each of the server's full-sized segments, for as long as they come, with the error about one
# that must be under way behind it. Says how many frames were too large, and how many in a row then
# were not, once these are enough.
ROUTER = """
import json, socket, struct, sys
mtu = int(sys.argv[1])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("eth0", 0))
s.settimeout(90)

def checksum(data):
    data += b"\\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack(">H", ~total & 0xffff)

def error(frame, behind):
    v6 = frame[12:14] == b"\\x86\\xdd"
    at = 54 if v6 else 14 + (frame[14] & 15) * 4
    seq, = struct.unpack_from(">I", frame, at + 4)
    seq = (seq + behind) & 0xffffffff
    quote = frame[14:at + 4] + struct.pack(">I", seq)
    back = frame[6:12] + frame[:6] + frame[12:14]
    if v6:
        own, far = frame[38:54], frame[22:38]
        body = struct.pack(">BBHI", 2, 0, 0, mtu) + quote
        pseudo = own + far + struct.pack(">II", len(body), 58)
        body = body[:2] + checksum(pseudo + body) + body[4:]
        return back + struct.pack(">IHBB", 6 << 28, len(body), 58, 64) + own + far + body
    own, far = frame[30:34], frame[26:30]
    body = struct.pack(">BBHHH", 3, 4, 0, 0, mtu) + quote
    body = body[:2] + checksum(body) + body[4:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, 1, 0) + own + far
    return back + head[:10] + checksum(head) + head[12:] + body

large = small = 0
while small < 200 and large < 5000:
    frame, (_, _, kind, _, _) = s.recvfrom(2000)
    if kind == 4 or len(frame) < 14 + 1000:  # our own, or no data
        continue
    if len(frame) <= 14 + mtu:
        small += 1
        continue
    large, small = large + 1, 0
    s.send(error(frame, (large % 8) * 1448))
print(json.dumps({"large": large, "small": small}))
"""


def too_big(version):
    with Rack(args=("--root", OUT), version=version) as rack:
        transfer = Transfer(rack)
        transfer.move()
        until(lambda: moved(rack) == 1, "the connection moved")
        seen = json.loads(rack.run("python3", "-c", ROUTER, str(MTU)))
        told = rack.ask("switch", "counters")["counters"]["errors_to_owner"]
        print(f"{seen['large']} segments too large, {told} errors passed to the owner", flush=True)
        check(seen["large"] > 0 and told > 0, "no segment was too large")
        check(seen["small"] >= 200, f"segments stay too large for the path: {seen}")
        transfer.must_succeed()


def test():
    each(VERSIONS, too_big)


if __name__ == "__main__":
    main(test, "curl", "sha256sum")
