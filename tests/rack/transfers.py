"""Long transfers whose connections move all the while: what arrives must be what was sent."""

import hashlib
import os
import struct
import subprocess

from rack import OUT, Failure, Mover, check, moved

MIB = 1 << 20
# Before an observer every frame is written to a disk.
PATIENCE_S = 480 if os.environ.get("CAPY_EXPERT") else 120


def make_file(path, mib):
    """A file in which every MiB differs, so that a lost, repeated or swapped piece shows. Its
    SHA-256."""
    block, digest = bytearray(os.urandom(MIB)), hashlib.sha256()
    with open(path, "wb") as f:
        for i in range(mib):
            struct.pack_into("<Q", block, 0, i)
            f.write(block)
            digest.update(block)
    return digest.hexdigest()


def while_moving(rack, process, moves, timeout):
    """Moves connections until the process ends; its output, after at least that many moves."""
    before = moved(rack)
    try:
        with Mover(rack):
            out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Failure(f"not finished within {timeout} s") from None
    check(process.returncode == 0, f"exit status {process.returncode}: {err.decode()}")
    count = moved(rack) - before
    check(count >= moves, f"only {count} migrations during the transfer, {moves} wanted")
    print(f"moved {count} times", flush=True)
    return out


def download(rack, mib, moves, timeout=PATIENCE_S):
    """curl fetches <root>/big; rack must serve OUT as its root."""
    wanted = make_file(os.path.join(OUT, "big"), mib)
    try:
        process = rack.client("sh", "-c", f"curl -m {PATIENCE_S} -sS {rack.url('/big')} | sha256sum",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        got = while_moving(rack, process, moves, timeout).decode().split()[0]
        check(got == wanted, f"SHA-256 of {mib} MiB is {got}, not {wanted}")
    finally:
        os.unlink(os.path.join(OUT, "big"))


def upload(rack, mib, moves, timeout=PATIENCE_S):
    """curl sends a file; the server that has the connection at the end answers with its SHA-256."""
    path = os.path.join(OUT, "sent")
    wanted = make_file(path, mib)
    try:
        process = rack.client("curl", "-m", str(PATIENCE_S), "-sS", "-T", path, "-H", "Expect:",
                              rack.url("/upload"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        got = while_moving(rack, process, moves, timeout).decode()
        check(wanted in got and str(mib * MIB) in got, f"{mib} MiB arrived as {got}")
    finally:
        os.unlink(path)


def events(rack, count, interval_ms, moves, timeout=PATIENCE_S):
    """Server-sent events: each once, in order."""
    url = rack.url(f"/events?interval_ms={interval_ms}&count={count}")
    process = rack.client("curl", "-m", str(PATIENCE_S), "-sSN", url, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = while_moving(rack, process, moves, timeout).decode().splitlines()
    ids = [int(line.split()[1]) for line in lines if line.startswith("id:")]
    check(ids == list(range(1, count + 1)), f"events out of order, lost or repeated: {ids}")
    servers = {line.split()[1] for line in lines if line.startswith("data:")}
    check(len(servers) > 1, f"all events came from one server: {servers}")
