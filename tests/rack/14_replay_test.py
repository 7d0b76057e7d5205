#!/usr/bin/env python3
"""A live rack under load, with connections on the move, is recorded by every program; each recording
replays to the same frames, bit for bit, also in the build with sanitizers: of programs that ended in
order, and of one that was killed. What was changed in a recording is found, and where."""

import os
import re
import shutil
import stat
import struct
import subprocess
import time

from client import host
from rack import CAPY, OUT, PATIENCE_S, ROOT, Failure, Mover, Rack, check, main, moved

RECORDINGS = os.path.join(OUT, "recordings")
CHANGED = os.path.join(OUT, "changed.capyrec")
SANITIZED = os.path.join(ROOT, "build-asan", "apps", "capy")
HEADER, HASHED = 40, 32  # src/record/format.h
ODD, MASK = 0x9e3779b97f4a7c15, (1 << 64) - 1


def recording(name):
    return os.path.join(RECORDINGS, name + ".capyrec")


def replay(path, *argv, capy=CAPY, status=0):
    p = subprocess.run([capy, "replay", path, *argv], capture_output=True, text=True, timeout=3 * PATIENCE_S)
    check(p.returncode == status, f"replay {path} {argv}: {p.returncode}: {p.stdout}{p.stderr}")
    check(p.returncode == 2 or not p.stderr, p.stderr)
    return p.stdout


def builds():
    """This build, and the one with sanitizers when it is there and of the same source."""
    fresh = os.access(SANITIZED, os.X_OK) and os.path.getmtime(SANITIZED) >= os.path.getmtime(CAPY)
    print("with sanitizers, too" if fresh else "no newer build-asan: this build only", flush=True)
    return (CAPY, SANITIZED) if fresh else (CAPY,)


def replay_everywhere(capys, name, end):
    path = recording(name)
    check(stat.S_IMODE(os.stat(path).st_mode) == 0o600, f"others may read {path}")
    for capy in capys:
        said = replay(path, capy=capy)
        print(f"{name}: {said.splitlines()[-2]}", flush=True)
        check(said.endswith(f": identical\n{end}\n"), f"{path}: {said}")


def record_hash(data):
    """As src/record/format.h has it."""
    def rotate(x, bits):
        return (x << bits | x >> (64 - bits)) & MASK
    lanes = [len(data), ODD, ~ODD & MASK, ODD >> 1]
    words = struct.unpack(f"<{(len(data) + 7) // 8}Q", data + bytes(-len(data) % 8))
    for i, word in enumerate(words):
        lanes[i % 4] = (rotate(lanes[i % 4], 27) ^ word) * ODD & MASK
    h = 0
    for lane in lanes:
        h = (rotate(h, 19) ^ lane ^ lane >> 32) * ODD & MASK
    return h ^ h >> 29


def change(data, old, new):
    """The recording with the first `old` changed, in a block whose hash is right again."""
    at = 8
    while at < len(data):
        length = struct.unpack_from(">I", data, at + 4)[0]
        body = at + HEADER
        found = data.find(old, body, body + length)
        if found >= 0:
            changed = bytearray(data)
            changed[found:found + len(new)] = new
            right = record_hash(bytes(changed[at:at + HASHED])) ^ \
                record_hash(bytes(changed[body:body + length]))
            struct.pack_into(">Q", changed, at + HASHED, right)
            return changed
        at = body + length
    raise AssertionError(f"no {old} in the recording")


def test_changes():
    with open(recording("s1"), "rb") as f:
        data = f.read()
    with open(CHANGED, "wb") as f:  # as a server that answered otherwise
        f.write(change(data, b"HTTP/1.1 200 OK", b"HTTP/1.1 299 OK"))
    said = replay(CHANGED, status=1)
    check(re.search(r"\nevent \d+ at \d+\.\d+ s: the frame sent differs\n  recorded .*\n"
                    r"  replayed .*10\.99\.0\.11:80 > 10\.99\.0\.101:", said), said)
    check("\nCLIENT " in said and ": DIFFERENT\n" in said, said)
    with open(CHANGED, "wb") as f:  # as by a disk
        middle = len(data) // 2
        f.write(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1:])
    said = replay(CHANGED, status=1)
    check(re.search(r"identical up to the damage\ndamaged: block \d+, at byte \d+, ", said), said)
    with open(CHANGED, "wb") as f:
        f.write(data[:middle])
    check("the program was killed" in replay(CHANGED), "a recording that was cut off")
    os.unlink(CHANGED)


def test_looking():
    """Where it stood at a moment, and what happened by then."""
    for frame in range(300, 500, 10):  # at some of these moments all its connections were away
        said = replay(recording("s1"), "--frame", str(frame), "--connections")
        check(f" {frame} frames out " in said and "stopped as asked" in said, said)
        if re.search(r"\n10\.99\.0\.101:\d+ .* ESTABLISHED ", said):
            break
    else:
        raise Failure(f"no connection: {said}")
    said = replay(recording("switch"), "--until", "0.8s", "--connections")
    check("stopped as asked" in said and "\nCLIENT " in said, said)
    said = replay(recording("s1"), "--print")
    check(said.count(" TCPMig CONN_STATE ") > 0, "no migration in the recording")
    check(" write conn=" in said and " consume conn=" in said, "no calls of the application")


def test():
    shutil.rmtree(RECORDINGS, ignore_errors=True)
    with Rack(args=("--record", RECORDINGS)) as rack:
        # test_changes: the first answer that s1 records is its own, not in the state of one that came.
        rack.run(CAPY, "get", *host("c1"), rack.ip["s1"] + "/")
        with Mover(rack):
            rack.run(CAPY, "load", "--connections", "16", "--requests", "4000", "--rate", "3000",
                     "--bytes", "3000", rack.ip["s1"])
            rack.run(CAPY, "get", *host("c1"), "--repeat", "50", "--record", recording("get"),
                     rack.ip["s2"] + "/")
        check(moved(rack) > 0, "nothing moved")
        rack.client(CAPY, "load", "--connections", "8", "--requests", "100000", "--rate", "2000",
                    rack.ip["s3"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.7)
        rack.steer("kill", "s3")
        rack.steer("start", "s3")  # what it died of is kept
        check(os.path.exists(recording("s3") + ".old"), "the first recording is gone")
        says = rack.ask("s1", "status")["recording"]
        check(says["state"] == "recording" and says["calls"] > 1000, f"status: {says}")
    capys = builds()
    for name in ("s1", "s2", "s3", "switch", "get"):
        replay_everywhere(capys, name, "the program ended")
    os.rename(recording("s3") + ".old", recording("s3"))
    replay_everywhere(capys, "s3", "the program was killed, or its disk was full: there is no end mark")
    test_looking()
    test_changes()
    shutil.rmtree(RECORDINGS)


if __name__ == "__main__":
    main(test)
