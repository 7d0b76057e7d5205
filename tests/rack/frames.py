"""Frames that nobody should have to fear: made up, broken, stolen and sent again."""

import random
import struct

MAC_BROADCAST = b"\xff" * 6
TCPMIG_PORT = 7777
TCPMIG_TYPES = range(0, 13)  # one below and two above those that exist


def mac(ip):
    return b"\x02\xca" + ip_bytes(ip)


def ip_bytes(ip):
    return bytes(int(part) for part in ip.split("."))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ether(src, dst, kind, payload):
    return dst + src + struct.pack(">H", kind) + payload


def ipv4(src, dst, protocol, payload):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0,
                       ip_bytes(src), ip_bytes(dst))
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def udp(src_port, dst_port, payload):
    return struct.pack(">HHHH", src_port, dst_port, 8 + len(payload), 0) + payload


def tcpmig(rng, kind, payload=b""):
    """A message of this type, well formed but for its tag, which needs the rack's key."""
    head = struct.pack(">BBBBHHQIIIHH16s16sHHIQ", 1, kind, 0, 0, rng.randrange(4),
                       rng.choice((0, 1, 2, 0xffff)), rng.getrandbits(64), rng.randrange(1, 9),
                       len(payload), 0, len(payload), rng.randrange(61440, 65536),
                       b"\0" * 10 + b"\xff\xff" + ip_bytes("10.99.0.101"),
                       b"\0" * 10 + b"\xff\xff" + ip_bytes("10.99.0.11"),
                       rng.randrange(1024, 65536), 80, 0, rng.getrandbits(64))
    return head + struct.pack(">QBBHI", rng.getrandbits(64), 0, 0, 0, 0) + payload


def forged(rng, src, dst):
    """TCPMig under a made-up tag, of every type."""
    for kind in TCPMIG_TYPES:
        for length in (0, 16, 32, 1352):
            message = tcpmig(rng, kind, rng.randbytes(length))
            yield ether(mac(src), mac(dst), 0x0800,
                        ipv4(src, dst, 17, udp(TCPMIG_PORT, TCPMIG_PORT, message)))


def made_up(rng, src, dsts, count):
    """Noise, from pure to nearly right."""
    for _ in range(count):
        dst = rng.choice(dsts)
        to = rng.choice((mac(dst), MAC_BROADCAST, rng.randbytes(6)))
        body = rng.randbytes(rng.randrange(0, 1500))
        shape = rng.randrange(5)
        if shape == 0:
            yield rng.randbytes(rng.randrange(1, 1514))
        elif shape == 1:
            yield ether(mac(src), to, rng.choice((0x0800, 0x0806, 0x86dd, 0x8100)), body)
        elif shape == 2:
            yield ether(mac(src), to, 0x0800, ipv4(src, dst, rng.choice((1, 6, 17)), body[:1480]))
        elif shape == 3:
            yield ether(mac(src), to, 0x0800,
                        ipv4(src, dst, 17, udp(TCPMIG_PORT, TCPMIG_PORT, body[:1400])))
        else:  # somebody else's address
            yield ether(mac(dst), to, 0x0800, ipv4(dst, src, 6, body[:1480]))


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
    return (len(frame) >= 42 + 96 and frame[12:14] == b"\x08\x00" and frame[23] == 17 and
            frame[36:38] == struct.pack(">H", TCPMIG_PORT))


def sent_by(frame, ip):
    return frame[26:30] == ip_bytes(ip)


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
