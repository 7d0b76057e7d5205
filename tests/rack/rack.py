"""What the live tests share: a rack of their own, its control sockets, and connections on the move.

A test is a program: exit status 0 passed, 77 not possible here (the last line says why), else failed.
What it makes lies under out/test/NAME/."""

import ctypes
import faulthandler
import glob
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CAPY = os.environ.get("CAPY", os.path.join(ROOT, "build", "apps", "capy"))
PLANE = os.environ.get("CAPY_PLANE", "user")  # of the switch: user or xdp
STACK = os.environ.get("CAPY_STACK", "")  # of the servers, as --stack has it; "": as the test says
BRIEF = "CAPY_BRIEF" in os.environ  # one of several IP versions is enough
NAME = os.path.basename(sys.argv[0]).removesuffix("_test.py")
OUT = os.path.join(ROOT, "out", "test", "-".join([NAME] + [PLANE] * (PLANE != "user") + [STACK] * (STACK != "")))
SKIPPED = 77
# For what must come, however busy the machine is: only a broken rack takes so long.
PATIENCE_S = 90
SAID_LINES = 6  # of each log, where a test fails
# What the clients' connections are, and the rack: IPv4 or IPv6 in one that has both, or IPv6 alone.
IPV4, IPV6, IPV6_ONLY = "IPv4", "IPv6", "IPv6 alone"
HAS_IPV6 = os.path.exists("/proc/sys/net/ipv6")
VERSIONS = (IPV4, IPV6, IPV6_ONLY) if HAS_IPV6 else (IPV4,)


def address(version, host):
    return f"10.99.0.{host}" if version == IPV4 else f"fd99::{host}"


# For tests of IPv4 alone.
CLIENT = address(IPV4, 101)
SERVER = {f"s{i}": address(IPV4, 10 + i) for i in range(1, 10)}


class Failure(Exception):
    """The test's finding: what should hold and does not."""


def check(holds, text):
    if not holds:
        raise Failure(text)


def skip(reason):
    print(reason)
    sys.exit(SKIPPED)


def need_xdp_plane():
    """Skips the test, by name, where the switch's plane in the kernel was left out of the build."""
    p = subprocess.run([CAPY, "rack", "run", "--plane", "xdp", "--dir", os.path.join(OUT, "rack"),
                        "--", "true"], capture_output=True)
    if b"install clang and bpftool" in p.stderr:
        skip("the XDP plane is not built: needs clang and bpftool")


def need(*tools):
    """Skips the test, by name of what is missing, where it cannot run."""
    if os.geteuid() != 0:
        skip("needs root, for network namespaces")
    for tool in ("ip",) + tools:
        if not shutil.which(tool):
            skip(f"needs {tool}")
    try:
        subprocess.run(["unshare", "--net", "--pid", "--mount", "--propagation", "unchanged",
                        "--fork", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        skip("needs CAP_SYS_ADMIN, for network namespaces")
    if not os.access(CAPY, os.X_OK):
        skip(f"needs {CAPY}: build first")
    os.makedirs(OUT, exist_ok=True)


PRCTL = ctypes.CDLL(None).prctl


def die_with_us():
    """In a child: whatever way the test ends, the child ends too (PR_SET_PDEATHSIG). Between fork and exec, where
    other threads' locks stay locked for ever: one call, nothing else."""
    PRCTL(1, signal.SIGKILL)


def another(name, **environment):
    """Runs another live test as a part of this one, under another environment; skipped if it is."""
    process = subprocess.Popen([sys.executable, os.path.join(ROOT, "tests", "rack", f"{name}_test.py")],
                               env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", preexec_fn=die_with_us)
    last = ""
    try:
        for last in process.stdout:
            print(last, end="", flush=True)
    except Failure:  # we took too long, and so did the part, which was told so as well and says where it stands
        print(process.stdout.read(), end="", flush=True)
        raise
    if process.wait() == SKIPPED:
        skip(last.strip())
    check(process.returncode == 0, f"{name} with {environment}")


def each(versions, of):
    """Runs a part of a test once for each of these versions that this machine has."""
    for version in versions[:1] if BRIEF else versions:
        if version in VERSIONS:
            print(version, flush=True)
            of(version)


def until(true, text, seconds=PATIENCE_S):
    """Waits until true() holds; fails with text, or what it returns, when it does not within the time."""
    end = time.monotonic() + seconds
    while not true():
        check(time.monotonic() < end, f"not within {seconds} s: {text() if callable(text) else text}")
        time.sleep(0.01)


def finished(process, text, given=None, seconds=PATIENCE_S):
    """Waits until a program ends by itself: what it printed. Its exit status is the caller's to look at."""
    try:
        return process.communicate(given, timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Failure(f"not within {seconds} s: {text}") from None


def explain(process, *texts):
    """What there is to be read of a program that failed; texts: its stderr, and stdout, where some say why."""
    command = process.args[process.args.index("--") + 1:] if "--" in process.args else process.args
    status, words = process.returncode, [t.decode(errors="replace").strip() for t in texts if t and t.strip()]
    how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
    return f"{' '.join(map(str, command))}: {how}: " + ("\n".join(words) or "without a word")


class Control:
    """A control socket: one JSON object per line each way."""

    def __init__(self, path):
        self.path = path
        self.file = None

    def ask(self, cmd, **more):
        """The answer; Failure when it says no."""
        if not self.file:
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(180)  # a restart on a busy machine takes its time
            sock.connect(self.path)
            self.file = sock.makefile("rwb")
        try:
            self.file.write(json.dumps({"cmd": cmd, **more}).encode() + b"\n")
            self.file.flush()
            line = self.file.readline()
        except OSError:
            line = b""
        if not line:
            self.file = None
            raise ConnectionError(f"{self.path} hung up")
        answer = json.loads(line)
        check(answer.get("ok", True) and "error" not in answer,
              f"{os.path.basename(self.path)} {cmd}: {answer.get('error')}")
        return answer


class Rack:
    """A rack that runs while the with block does. version: of the clients' connections. judged: with
    CAPY_EXPERT set, every frame on it is one that our side should answer for (observe.py). Several at once
    need names. wire: its cables inject faults or capture where the switch's plane cannot."""

    def __init__(self, servers=3, clients=1, args=(), version=IPV4, judged=True, name="rack",
                 plane=PLANE, wire=False):
        self.version = version
        self.ip = {f"s{i + 1}": address(version, 11 + i) for i in range(servers)}
        self.ip |= {f"c{i + 1}": address(version, 101 + i) for i in range(clients)}
        self.ip["switch"] = address(version, 254)
        if version == IPV6_ONLY:
            args = (*args, "--ipv6-only")
        self.wire = plane != "user" and (wire or "--capture" in args)
        if plane != "user":
            if "--record" in args:
                skip("needs the switch's user-space plane: the kernel's runs on many CPUs at once, "
                     "and has no order of frames that could be recorded")
            args = (*args, "--plane", plane, *["--wire"] * self.wire)
        if STACK and "--stack" not in args:
            args = (*args, "--stack", STACK)
        self.servers = [f"s{i + 1}" for i in range(servers)]
        self.dir = os.path.join(OUT, name)
        self.command = [CAPY, "rack", "up", "--servers", str(servers), "--clients", str(clients),
                        "--dir", self.dir, *args]
        self.clients_cnt = clients
        self.observer = None
        if os.environ.get("CAPY_EXPERT") and judged and "--capture" not in args:
            import observe  # which needs this module
            self.observer = observe.of(self, "xdp" if "xdp" in args else plane)
            self.command += self.observer.options
        self.control = {}
        self.clients = []

    def __enter__(self):
        self.log = open(self.dir + ".log", "wb")
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=subprocess.STDOUT,
                                        cwd=ROOT, preexec_fn=die_with_us, start_new_session=True)
        end = time.monotonic() + 300  # it waits for each program as long as that runs
        while not os.path.exists(self.path("rack.sock")) or b"Ctrl-C" not in self.said():
            if self.process.poll() is not None or time.monotonic() > end:
                self.process.kill()
                raise Failure("no rack: " + self.said().decode(errors="replace").strip())
            time.sleep(0.02)
        if self.observer:
            self.observer.begin()
        return self

    def __exit__(self, kind, *_):
        for client in self.clients:
            if client.poll() is None:
                os.killpg(client.pid, signal.SIGKILL)  # a shell's children, too
                client.wait()
        if self.observer:
            self.observer.end()
        if kind and issubclass(kind, Exception):  # and not an interruption, or that it is skipped
            self.tell()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()
        if self.observer and not kind:
            self.observer.judge()

    def said(self):
        with open(self.log.name, "rb") as f:
            return f.read()

    def tell(self):
        """How the rack is, for who reads of a failure and has nothing else."""
        load = " ".join(f"{n:.1f}" for n in os.getloadavg())
        print(f"-- the rack when it failed; load average {load} on {os.cpu_count()} cores", flush=True)
        try:
            members = Control(self.path("rack.sock")).ask("status")["members"]
            print("   " + ", ".join(f"{m['name']} {m['state']}" for m in members))
        except (OSError, Failure, ValueError, KeyError) as e:
            print(f"   it does not answer: {e}")
        for path in sorted(glob.glob(self.path("*.log"))) + [self.log.name]:
            with open(path, encoding="utf-8", errors="replace") as f:
                lines = [line for line in f.read().splitlines() if line.strip()]
            if path == self.log.name:  # what it says to its operator when all is well
                lines = [line for line in lines if line.startswith("capy")]
            for line in lines[-SAID_LINES:]:
                print(f"   {os.path.basename(path)}: {line}")
        sys.stdout.flush()

    def host(self, name="s1"):
        """As in a URL."""
        return self.ip[name] if self.version == IPV4 else f"[{self.ip[name]}]"

    def url(self, path, server="s1"):
        return f"http://{self.host(server)}{path}"

    def path(self, name):
        return os.path.join(self.dir, name)

    def ask(self, member, cmd, **more):
        """Asks s1, switch, or the rack itself ("rack")."""
        if self.observer:
            self.observer.asked(cmd, more.get("name"))
        if member == "switch" and self.wire and cmd in ("fault", "ports"):
            member = "wire"
        if member not in self.control:
            self.control[member] = Control(self.path(member + ".sock"))
        return self.control[member].ask(cmd, **more)

    def steer(self, verb, member):
        """start, stop, kill or restart one program."""
        self.control.pop(member, None)
        self.ask("rack", verb, name=member)

    def client(self, *argv, member="c1", **options):
        """Starts a program in a member's namespace."""
        argv = [CAPY, "rack", "exec", "--dir", self.dir, member, "--", *argv]
        self.clients.append(subprocess.Popen(argv, preexec_fn=die_with_us, start_new_session=True,
                                             **options))
        return self.clients[-1]

    def run(self, *argv, member="c1", timeout=2 * PATIENCE_S):
        """Runs a program in a member's namespace to its end: its output, or Failure."""
        p = self.client(*argv, member=member, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = finished(p, f"{argv[0]} ends", seconds=timeout)
        check(p.returncode == 0, explain(p, err, out))
        return out


class Mover(threading.Thread):
    """Moves every connection of the rack, one after the other, to another server each time."""

    def __init__(self, rack, pause_s=0.01, servers=None):
        super().__init__(daemon=True)
        self.rack = rack
        self.servers = servers or rack.servers
        self.control = {s: Control(rack.path(s + ".sock")) for s in rack.servers}
        self.pause_s = pause_s
        self.over = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def run(self):
        while not self.over.is_set():
            for server in self.servers:
                self.move_all(server)
            self.over.wait(self.pause_s)

    def move_all(self, server):
        try:
            found = self.control[server].ask("connections", limit=256)["connections"]
        except (OSError, Failure):
            return  # it is down at the moment, as some tests want it
        for c in found:
            others = [s for s in self.servers if s != server]
            try:
                self.control[server].ask("migrate", client=c["client"],
                                         target=random.choice(others))
            except (OSError, Failure):
                pass  # it moved, or is moving, already: there is a next time


def moved(rack):
    """How many migrations the rack has completed."""
    return sum(rack.ask(s, "status")["migrations_out"] for s in rack.servers)


def took_too_long(*_):
    """Who runs us has lost patience. Where we stand is all that there is to find out why."""
    faulthandler.dump_traceback(sys.stdout)
    raise Failure("ended by SIGTERM, in the midst of it")


def main(test, *tools):
    """Runs the test and tells how it went by the exit status."""
    signal.signal(signal.SIGTERM, took_too_long)
    try:
        need(*tools)
        test()
    except Failure as f:
        print(f"{NAME}: {f}")
        sys.exit(1)
    print(f"{NAME}: passed")
