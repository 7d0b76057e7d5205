#!/usr/bin/env python3
"""A web server on the kernel's sockets, for our stack in the client role: GET gives a file, PUT and
POST answer with length and SHA-256 of what came, as `capy httpd` does at /upload.

    web.py ADDRESS PORT DIRECTORY [GATE]

GATE: from its half on, a file is given slowly until a file of this name is there."""

import hashlib
import http.server
import json
import os
import sys
import time

PIECE = 1 << 16
PAUSE_S = 0.01  # between two pieces


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, kind, length):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def do_GET(self):
        path = os.path.join(sys.argv[3], os.path.basename(self.path))
        with open(path, "rb") as f:
            size = os.fstat(f.fileno()).st_size
            self.answer("application/octet-stream", size)
            while piece := f.read(PIECE):
                self.wfile.write(piece)
                if f.tell() > size // 2 and not all(map(os.path.exists, sys.argv[4:])):
                    time.sleep(PAUSE_S)

    def do_PUT(self):
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        length = left
        while left > 0 and (piece := self.rfile.read(min(left, PIECE))):
            digest.update(piece)
            left -= len(piece)
        text = json.dumps({"bytes": length - left, "sha256": digest.hexdigest()}).encode()
        self.answer("application/json", len(text))
        self.wfile.write(text)

    do_POST = do_PUT

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
