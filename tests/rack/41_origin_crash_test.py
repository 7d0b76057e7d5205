#!/usr/bin/env python3
"""kill -9 of the origin. A connection that has moved on does not mind, not even its home server's
death; one whose state was still on its way ends cleanly once its server is back."""

import time

from crash import Stream, Transfer, await_held, hold_at, must_be_at_rest, release, served
from rack import OUT, Rack, main, moved, until


def after_the_move():
    print("origin and home killed after the move", flush=True)
    with Rack(args=("--root", OUT)) as rack:
        transfer = Transfer(rack)
        transfer.move()
        until(lambda: moved(rack) == 1, "it moved")
        rack.steer("kill", "s1")
        time.sleep(0.5)
        rack.steer("start", "s1")  # it has forgotten everything, and must not answer RST
        transfer.must_succeed()
        must_be_at_rest(rack)


def before_the_commit(message):
    print(f"origin killed while {message} is lost", flush=True)
    with Rack(args=("--root", OUT), wire=True) as rack:
        transfer = Transfer(rack)
        hold_at(rack, message)
        transfer.move()
        await_held(rack)
        rack.steer("kill", "s1")
        release(rack)
        must_be_at_rest(rack, ["s2", "s3"])
        rack.steer("start", "s1")
        transfer.must_fail()


def after_the_commit():
    print("origin killed while CONN_STATE_ACK is lost", flush=True)
    with Rack(args=("--root", OUT), wire=True) as rack:
        transfer = Stream(rack)
        hold_at(rack, "CONN_STATE_ACK")
        transfer.move()
        until(lambda: served(rack, transfer.client), "the target served the connection")
        rack.steer("kill", "s1")
        release(rack)
        transfer.must_succeed()
        must_be_at_rest(rack, ["s2", "s3"])


def test():
    after_the_move()
    for message in ("PREPARE_MIG", "PREPARE_MIG_ACK", "CONN_STATE"):
        before_the_commit(message)
    after_the_commit()


if __name__ == "__main__":
    main(test, "curl", "sha256sum")
