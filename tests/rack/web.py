#!/usr/bin/env python3
"""A web server on the kernel's sockets, for our stack in the client role: GET gives a file, PUT and
POST answer with length and SHA-256 of what came, as `capy httpd` does at /upload.

    web.py ADDRESS PORT DIRECTORY"""

import hashlib
import http.server
import json
import os
import sys

PIECE = 1 << 16


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
            self.answer("application/octet-stream", os.fstat(f.fileno()).st_size)
            while piece := f.read(PIECE):
                self.wfile.write(piece)

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
