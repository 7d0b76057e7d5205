#!/usr/bin/python3
"""Long-lived connections, and what a restart of their server does to them: a program of its own, for it
runs in a network namespace of its own.

    held.py client IP PORT IDLE STREAMS SMALL SLOW SECONDS     holds them, and tells what became of them
    held.py nginx|haproxy IDLE STREAMS BOUND_S WATCH_S         starts that server, and a client that
                                                               holds them; reloads; BOUND_S 0: no bound
                                                               on how long the old process may live

IDLE connections were answered once and wait for their next request;
STREAMS are in the middle of a long one. SMALL and SLOW are the paths of either. Prints one JSON object; `client` first prints "held" when all
are open."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

NGINX_PORT, HAPROXY_PORT = 8080, 8081
NGINX = """daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log; user root;
{bound} worker_rlimit_nofile 20000;
events {{ worker_connections 19000; }}
http {{ access_log off; keepalive_timeout 3600; keepalive_requests 1000000;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
  server {{ listen 127.0.0.1:8080 backlog=20000; root {dir}; location = /slow {{ limit_rate 1k; }} }} }}
"""
HAPROXY = """global
  maxconn 9000
  {bound}
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 1h
frontend f
  bind 127.0.0.1:8081 backlog 20000
  default_backend b
backend b
  server n 127.0.0.1:8080
"""


class Held:
    """Connections that are held open, from a client's side."""

    def __init__(self, ip, port, idle, streams, small="/small", slow="/slow"):
        self.host, self.small = ip, small
        self.poll = select.epoll()
        self.kind, self.sock, self.fate = {}, {}, {}
        self.bytes = 0
        for number in range(idle + streams):
            kind, path = ("idle", small) if number < idle else ("stream", slow)
            self._open(ip, port, kind, path)
        for s in self.sock.values():
            data = s.recv(65536)
            if not data.startswith(b"HTTP/1.1 200"):
                sys.exit(f"held: no answer of 200: {data[:60]!r}")
            s.setblocking(False)

    def _open(self, ip, port, kind, path):
        s = socket.create_connection((ip, port), timeout=60)
        self._ask(s, path)
        self.sock[s.fileno()], self.kind[s.fileno()] = s, kind
        self.poll.register(s, select.EPOLLIN)

    def _ask(self, s, path):
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())

    def watch(self, seconds):
        """Reads for so long; notes whose connection ends, and how."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for fd, _ in self.poll.poll(min(left, 0.2), 1024):
                self._read(fd)

    def _read(self, fd):
        try:
            data = self.sock[fd].recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = None
        if data:
            self.bytes += len(data)
        else:
            self.fate[fd] = "reset" if data is None else "closed"
            self.poll.unregister(fd)

    def told(self):
        counts = {f"{kind}_{fate}": 0 for kind in ("idle", "stream") for fate in ("closed", "reset")}
        for fd, fate in self.fate.items():
            counts[f"{self.kind[fd]}_{fate}"] += 1
        return {"held": len(self.sock), **counts, "lost": len(self.fate), "stream_bytes": self.bytes}

    def ask_the_idle(self):
        """Those that are still open ask once more; how many get an answer."""
        waiting = [fd for fd, kind in self.kind.items() if kind == "idle" and fd not in self.fate]
        answered = 0
        for fd in waiting:
            s = self.sock[fd]
            try:
                s.settimeout(10)
                self._ask(s, self.small)
                answered += s.recv(65536).startswith(b"HTTP/1.1 200")
            except OSError:
                pass
        return {"asked_again": len(waiting), "answered_again": answered}


def client(ip, port, idle, streams, small, slow, seconds):
    held = Held(ip, int(port), int(idle), int(streams), small, slow)
    print("held", flush=True)
    held.watch(float(seconds))
    print(json.dumps(held.told() | held.ask_the_idle()))


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(p) for p in f.read().split()]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def until(true, seconds, what):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            sys.exit(f"held: {what} not within {seconds} s")
        time.sleep(0.02)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def start(which, directory, bound):
    """Both servers' processes; the one that will be reloaded last."""
    nginx_bound = f"worker_shutdown_timeout {bound}s;" if which == "nginx" and bound else ""
    haproxy_bound = f"hard-stop-after {bound}s" if bound else ""
    write(f"{directory}/small", "yes")
    write(f"{directory}/slow", "x" * 300000)
    write(f"{directory}/nginx.conf", NGINX.format(dir=directory, bound=nginx_bound))
    write(f"{directory}/haproxy.cfg", HAPROXY.format(bound=haproxy_bound))
    with open(f"{directory}/said", "wb") as said:
        made = [subprocess.Popen(["nginx", "-e", f"{directory}/error.log", "-c", f"{directory}/nginx.conf"],
                                 stdout=said, stderr=said)]
        until(lambda: listens(NGINX_PORT), 60, "nginx listens")
        if which == "haproxy":
            made.append(subprocess.Popen(["haproxy", "-W", "-f", f"{directory}/haproxy.cfg"],
                                         stdout=said, stderr=said))
            until(lambda: listens(HAPROXY_PORT), 60, "haproxy listens")
    return made


def reload(which, idle, streams, bound, watch):
    """What became of the connections, and how long the old process lived: None: it still does."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    port, sign = (NGINX_PORT, signal.SIGHUP) if which == "nginx" else (HAPROXY_PORT, signal.SIGUSR2)
    with tempfile.TemporaryDirectory() as directory:
        made = start(which, directory, bound)
        held = Held("127.0.0.1", port, idle, streams)
        old = children(made[-1].pid)
        began = time.monotonic()
        made[-1].send_signal(sign)
        gone = None
        while time.monotonic() < began + watch:
            held.watch(0.05)
            if gone is None and not any(alive(p) for p in old):
                gone = time.monotonic() - began
        result = held.told() | {"old_process_seconds": gone}
        for process in made:
            process.terminate()
        for process in made:
            process.wait(60)
    return result


def main(argv):
    if len(argv) == 9 and argv[1] == "client":
        client(*argv[2:])
    elif len(argv) == 6 and argv[1] in ("nginx", "haproxy"):
        os.environ["PATH"] += ":/usr/sbin:/sbin"
        print(json.dumps(reload(argv[1], *map(int, argv[2:6]))))
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
