"""Long transfers whose connections move all the while: what arrives must be what was sent."""

import hashlib
import os
import struct
import subprocess
import threading
import time

from rack import OUT, Failure, Mover, check, explain, finished, moved, until

MIB = 1 << 20
# Before an observer every frame is written to a disk.
PATIENCE_S = 480 if os.environ.get("CAPY_EXPERT") else 180
PIECE = 1 << 16
SLOW = 4 << 20  # bytes per second of a transfer that is held back
MOST = 20  # times as many moves as are wanted
MOVING_S = 30  # at most, once as many as are wanted were made


class Brake(threading.Thread):
    """Carries bytes from one file to another (None: nowhere): at once as many as it may, and the others slowly,
    until release() says that what shall happen on their way has happened. So a transfer is under way for as long as it
    takes, and no longer, on a fast machine as on a slow one."""

    def __init__(self, source, sink=None, digest=None, freely=0):
        super().__init__(daemon=True)
        self.source, self.sink, self.digest, self.freely, self.cnt = source, sink, digest, freely, 0
        self.released = threading.Event()
        self.start()

    def release(self):
        self.released.set()

    def run(self):
        try:
            while piece := self.source.read1(PIECE):
                self.cnt += len(piece)
                if self.digest:
                    self.digest.update(piece)
                if self.sink:
                    self.sink.write(piece)
                if self.cnt > self.freely:
                    self.released.wait(len(piece) / SLOW)
            if self.sink:
                self.sink.close()
        except OSError:
            pass  # who should read it has ended, and says why


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


def await_end(process, seconds=PATIENCE_S):
    """Of a program whose output others read."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Failure(f"{' '.join(process.args[-3:])}: not finished within {seconds} s") from None
    check(process.returncode == 0, explain(process, process.stderr.read()))


def while_moving(rack, process, moves, brake, seconds=PATIENCE_S):
    """Moves the connection that often at least before the brake is released, and on, until the process ends. But not
    without end: moved all the time, on a machine where each move takes long, it hardly gets on in between."""
    before = moved(rack)
    with Mover(rack) as mover:
        until(lambda: moved(rack) - before >= moves or process.poll() is not None, "the connection moves", seconds)
        brake.release()
        end = time.monotonic() + MOVING_S
        while process.poll() is None and moved(rack) - before < MOST * moves and time.monotonic() < end:
            time.sleep(0.01)
        mover.over.set()
        await_end(process, seconds)
        brake.join()
    count = moved(rack) - before
    check(count >= moves, f"only {count} migrations during the transfer, {moves} wanted")
    print(f"moved {count} times", flush=True)


def download(rack, mib, moves):
    """curl fetches <root>/big; rack must serve OUT as its root."""
    wanted = make_file(os.path.join(OUT, "big"), mib)
    try:
        process = rack.client("curl", "-m", str(3 * PATIENCE_S), "-sS", rack.url("/big"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, pipesize=MIB)
        digest = hashlib.sha256()
        while_moving(rack, process, moves, Brake(process.stdout, digest=digest, freely=mib * MIB // 2))
        check(digest.hexdigest() == wanted, f"SHA-256 of {mib} MiB is {digest.hexdigest()}, not {wanted}")
    finally:
        os.unlink(os.path.join(OUT, "big"))


def upload(rack, mib, moves):
    """curl sends a file; the server that has the connection at the end answers with its SHA-256."""
    path, answer = os.path.join(OUT, "sent"), os.path.join(OUT, "answer")
    wanted = make_file(path, mib)
    try:
        with open(path, "rb") as sent:
            # From a pipe, but with its length told, as of a file.
            process = rack.client("curl", "-m", str(3 * PATIENCE_S), "-sS", "-T", "-", "-H", "Expect:", "-H",
                                  "Transfer-Encoding:", "-H", f"Content-Length: {mib * MIB}", "-o", answer,
                                  rack.url("/upload"), stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                                  pipesize=MIB)
            while_moving(rack, process, moves, Brake(sent, process.stdin, freely=mib * MIB // 2))
        with open(answer, encoding="utf-8") as f:
            got = f.read()
        check(wanted in got and str(mib * MIB) in got, f"{mib} MiB arrived as {got}")
    finally:
        os.unlink(path)


def stream(rack, count, interval_ms):
    """Server-sent events: each once, in order. The servers that they came from."""
    url = rack.url(f"/events?interval_ms={interval_ms}&count={count}")
    process = rack.client("curl", "-m", str(PATIENCE_S), "-sSN", url, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = finished(process, f"{count} events came", seconds=PATIENCE_S)
    check(process.returncode == 0, explain(process, err, out))
    lines = out.decode().splitlines()
    ids = [int(line.split()[1]) for line in lines if line.startswith("id:")]
    check(ids == list(range(1, count + 1)), f"events out of order, lost or repeated: {ids}")
    return {line.split()[1] for line in lines if line.startswith("data:")}


def events(rack, count, interval_ms, moves):
    """Streams of events, whole each, one after the other until their connections have moved so often: one, but on a
    machine that is busy with other things."""
    before, servers = moved(rack), set()
    end = time.monotonic() + PATIENCE_S
    with Mover(rack):
        while moved(rack) - before < moves or len(servers) < 2:
            check(time.monotonic() < end, f"{moved(rack) - before} moves, events from {servers}: too few")
            servers |= stream(rack, count, interval_ms)
    print(f"moved {moved(rack) - before} times", flush=True)
