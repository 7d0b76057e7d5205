"""Frames that nobody should have to fear: made up, broken, stolen and sent again."""

import random
import socket
import struct

MAC_BROADCAST = b"\xff" * 6
TCPMIG_PORT = 7777
TCPMIG_TYPES = range(0, 13)  # one below and two above those that exist


def mac(ip):
    """Of the machine that has 10.99.0.N, or fd99::N."""
    return b"\x02\xca\x0a\x63\x00" + bytes([int(ip.replace(":", ".").split(".")[-1])])


def is_ipv6(ip):
    return ":" in ip


def ip_bytes(ip):
    return socket.inet_pton(socket.AF_INET6 if is_ipv6(ip) else socket.AF_INET, ip)


def key_bytes(ip):
    """As in a flow key: 16 bytes."""
    return ip_bytes(ip) if is_ipv6(ip) else b"\0" * 10 + b"\xff\xff" + ip_bytes(ip)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ether(src, dst, kind, payload):
    return dst + src + struct.pack(">H", kind) + payload


def ip(src, dst, protocol, payload):
    """Its ethertype, and the packet."""
    if is_ipv6(src):
        return 0x86dd, ipv6(src, dst, protocol, payload)
    return 0x0800, ipv4(src, dst, protocol, payload)


def ipv6(src, dst, next_header, payload):
    return (struct.pack(">IHBB", 6 << 28, len(payload), next_header, 64) + ip_bytes(src) +
            ip_bytes(dst) + payload)


def extensions(rng, protocol, payload):
    """Extension headers, more or less right, before a payload of this protocol. The first one's
    number, and the bytes."""
    for _ in range(rng.randrange(1, 12)):
        kind = rng.choice((0, 43, 44, 60, 60, 60))
        units = 0 if kind == 44 else rng.choice((0, 0, 0, 1, 7, 255))
        body = rng.randbytes(6 + 8 * min(units, 7)) if rng.randrange(2) else b"\1\4" + b"\0" * 4
        payload = bytes([protocol, units]) + body + payload
        protocol = kind
    return protocol, payload


def ipv4(src, dst, protocol, payload):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0,
                       ip_bytes(src), ip_bytes(dst))
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def udp(src_port, dst_port, payload):
    return struct.pack(">HHHH", src_port, dst_port, 8 + len(payload), 0) + payload


def tcpmig(rng, kind, payload=b"", client="10.99.0.101", home="10.99.0.11"):
    """A message of this type, well formed but for its tag, which needs the rack's key."""
    head = struct.pack(">BBBBHHQIIIHH16s16sHHIQ", 1, kind, 0, 0, rng.randrange(4),
                       rng.choice((0, 1, 2, 0xffff)), rng.getrandbits(64), rng.randrange(1, 9),
                       len(payload), 0, len(payload), rng.randrange(61440, 65536),
                       key_bytes(client), key_bytes(home),
                       rng.randrange(1024, 65536), 80, 0, rng.getrandbits(64))
    return head + struct.pack(">QBBHI", rng.getrandbits(64), 0, 0, 0, 0) + payload


def forged(rng, src, dst):
    """TCPMig under a made-up tag, of every type."""
    for kind in TCPMIG_TYPES:
        for length in (0, 16, 32, 1352):
            home = "fd99::11" if is_ipv6(src) else "10.99.0.11"
            client = "fd99::101" if is_ipv6(src) else "10.99.0.101"
            message = tcpmig(rng, kind, rng.randbytes(length), client, home)
            yield ether(mac(src), mac(dst),
                        *ip(src, dst, 17, udp(TCPMIG_PORT, TCPMIG_PORT, message)))


def neighbour_noise(rng, src, dst):
    """Neighbour discovery that says nothing true: the right hop limit and checksum, wrong insides."""
    body = (bytes([rng.randrange(133, 138), 0, 0, 0]) + rng.randbytes(4) +
            rng.choice((ip_bytes(dst), rng.randbytes(16))) +
            rng.choice((b"", b"\1\1" + rng.randbytes(6), b"\2\0" + rng.randbytes(6),
                        rng.randbytes(8 * rng.randrange(1, 9)))))
    pseudo = ip_bytes(src) + ip_bytes(dst) + struct.pack(">II", len(body), 58)
    body = body[:2] + struct.pack(">H", checksum(pseudo + body)) + body[4:]
    packet = bytearray(ipv6(src, dst, 58, body))
    packet[7] = 255
    return bytes(packet)


def made_up(rng, src, dsts, count):
    """Noise, from pure to nearly right."""
    for _ in range(count):
        dst = rng.choice(dsts)
        to = rng.choice((mac(dst), MAC_BROADCAST, rng.randbytes(6)))
        body = rng.randbytes(rng.randrange(0, 1500))
        shape = rng.randrange(7 if is_ipv6(src) else 5)
        if shape == 0:
            yield rng.randbytes(rng.randrange(1, 1514))
        elif shape == 1:
            yield ether(mac(src), to, rng.choice((0x0800, 0x0806, 0x86dd, 0x8100)), body)
        elif shape == 2:
            yield ether(mac(src), to, *ip(src, dst, rng.choice((1, 6, 17, 58)), body[:1460]))
        elif shape == 3:
            yield ether(mac(src), to, *ip(src, dst, 17, udp(TCPMIG_PORT, TCPMIG_PORT, body[:1400])))
        elif shape == 4:  # somebody else's address
            yield ether(mac(dst), to, *ip(dst, src, 6, body[:1460]))
        elif shape == 5:
            first, rest = extensions(rng, rng.choice((6, 17, 58)), body[:600])
            yield ether(mac(src), to, 0x86dd, ipv6(src, dst, first, rest[:1460]))
        else:
            yield ether(mac(src), to, 0x86dd, neighbour_noise(rng, src, dst))


def broken(rng, frames, count):
    """True frames, cut short, grown, or with bytes turned over."""
    for _ in range(count):
        frame = bytearray(rng.choice(frames))
        how = rng.randrange(3)
        if how == 0:
            frame = frame[:rng.randrange(1, len(frame))]
        elif how == 1:
            frame = (frame + rng.randbytes(rng.randrange(1, 64)))[:1514]
        for _ in range(rng.randrange(1, 5) if how != 1 else 0):
            at = rng.randrange(len(frame))
            frame[at] ^= rng.randrange(1, 256)
        yield bytes(frame)


def captured(path):
    """The frames of a pcapng file (Enhanced Packet Blocks of draft-ietf-opsawg-pcapng §4.3)."""
    with open(path, "rb") as f:
        data = f.read()
    at = 0
    while at + 28 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if length < 12 or at + length > len(data):
            break  # the writer is in the middle of it
        if kind == 6:
            size = struct.unpack_from("<I", data, at + 20)[0]
            yield data[at + 28:at + 28 + size]
        at += length


def is_tcpmig(frame):
    port = struct.pack(">H", TCPMIG_PORT)
    if frame[12:14] == b"\x86\xdd":
        return len(frame) >= 62 + 96 and frame[20] == 17 and frame[56:58] == port
    return (len(frame) >= 42 + 96 and frame[12:14] == b"\x08\x00" and frame[23] == 17 and
            frame[36:38] == port)


def sent_by(frame, address):
    """A TCPMig message's source address."""
    at = 22 if is_ipv6(address) else 26
    own = ip_bytes(address)
    return frame[at:at + len(own)] == own


def seeded(seed):
    return random.Random(seed)


def syn(rng, via, dst, port):
    """A SYN with the options of today, from a made-up address (RFC 2544's range) but by way of a
    client's device, so that answers end there."""
    src = f"198.{rng.choice((18, 19))}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
    head = struct.pack(">HHIIHHHH", rng.randrange(1024, 65536), port, rng.getrandbits(32), 0, 0xa002,
                       64240, 0, 0)
    options = struct.pack(">BBHBBBBIIBBB", 2, 4, 1460, 4, 2, 8, 10, rng.getrandbits(32), 0, 1, 3,
                          3) + b"\x07"
    segment = head + options
    pseudo = ip_bytes(src) + ip_bytes(dst) + struct.pack(">HH", 6, len(segment))
    segment = segment[:16] + struct.pack(">H", checksum(pseudo + segment)) + segment[18:]
    return ether(mac(via), mac(dst), 0x0800, ipv4(src, dst, 6, segment))
