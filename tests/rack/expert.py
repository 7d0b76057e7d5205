"""What tshark's experts say of the frames that our side sent, and why each kind of it is in order. One
table for all live tests: a kind that is not in it fails the test that met it. 13_expert_test.py does in
small what they all do; with CAPY_EXPERT set every rack of every live test is captured and judged, and what was
said of it is left there for tools/test-expert, which makes a table of all."""

import collections
import concurrent.futures
import glob
import os
import re
import subprocess

import put_back
from rack import check

STRICT = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
          "-o", "udp.check_checksum:TRUE"]
# As data, not as whatever protocol a port number suggests: an HTTP body of megabytes, put together anew at
# each of its segments, takes tshark minutes.
PLAIN = ["-d", "tcp.port==0-65535,data", "-d", "udp.port==0-65535,data"]
BETWEEN = "|"  # of several experts' words on one frame
FIELDS = ("frame.number", "frame.packet_flags_direction", "eth.src", "ip.src", "ipv6.src", "ip.id", "ip.ttl",
          "ipv6.hlim", "tcp.srcport", "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.checksum",
          "_ws.expert.message")
Frame = collections.namedtuple("Frame", "number direction mac ip4 ip6 id ttl hops port seq ack len sum words")
TSHARK_S = 900  # a million frames on a busy machine

# Where a rule holds: at every cable; at servers', where connections come and go in their middle; where frames
# are lost before they reach the observer, by order or because a program was killed; of kernels that serve.
ANYWHERE, AT_SERVERS, WITH_LOSS, BY_KERNELS = "anywhere", "at servers", "with loss", "by kernels"
Rule = collections.namedtuple("Rule", "name pattern where why")
RULES = [
    Rule("begins", r"Connection establish request \(SYN\)|Connection establish acknowledge \(SYN\+ACK\)", ANYWHERE,
         "a connection begins; the request is capy get's, or an application's that opens one"),
    Rule("ends", r"Connection finish \(FIN\)|This frame (initiates|undergoes) the connection closing", ANYWHERE,
         "a connection ends"),
    Rule("reset", r"Connection reset \(RST\)", ANYWHERE,
         "a program ends, or closes with data unread; nobody listens"),
    Rule("window", r"TCP window update", ANYWHERE, "a reader has caught up"),
    Rule("full", r"TCP Zero Window segment|TCP window specified by the receiver is now completely full", ANYWHERE,
         "a reader does not read (yet), ours or the peer's"),
    Rule("probe", r"(ACK to a )?TCP (keep-alive segment|Zero Window Probe)|ACK to a TCP Zero Window Probe", ANYWHERE,
         "a window probe or keep-alive, and the answers to such"),
    Rule("again", r"This frame is a \(suspected\) (fast |spurious )?retransmission", ANYWHERE,
         "frames are lost on purpose; and a core that is shared stalls for longer than a tail loss "
         "probe waits, two round trips of 100 us (RFC 8985 §7.2)"),
    Rule("order", r"This frame is a \(suspected\) out-of-order segment", ANYWHERE,
         "retransmissions after a loss, and frames reordered on purpose"),
    Rule("duplicate", r"Duplicate ACK \(#\d+\)|Duplicate to the ACK in frame \d+|D-SACK Sequence", ANYWHERE,
         "the other side's segments were lost, reordered or repeated on purpose"),
    Rule("port", r"A new tcp session is started with the same ports.*", ANYWHERE,
         "a port is used again after TIME_WAIT"),
    Rule("moved", r"Previous segment\(s\) not captured.*|ACKed segment that wasn't captured.*", AT_SERVERS,
         "the connection came here by migration"),
    Rule("unseen", r"Previous segment\(s\) not captured.*|ACKed segment that wasn't captured.*", WITH_LOSS,
         "what is missing was lost, or passed while no switch observed"),
    Rule("put back", r'"Time To Live" only \d+', AT_SERVERS,
         "put back or relayed again and again while a new switch learns who owns the flow; each time it has one "
         "less, which ends it: put_back.py follows each such frame from hop to hop"),
    Rule("0xffff", r"TCP Checksum 0xffff instead of 0x0000 \(see RFC 1624\)", BY_KERNELS,
         "Linux fills in a transport checksum of 0 as 0xffff, of TCP as well (skb_checksum_help): the same sum, one "
         "in 65,536. Ours writes 0"),
]


class Scene:
    """What the judge must know of a rack. clients: how many, the kernel's, whose own frames are their affair.
    lossy: frames were lost on purpose, or programs ended. cut: a switch was killed, and took its last records
    along. kernels: servers on kernel sockets. counted: of servers that lived all the time, how many frames each
    says to have put back or relayed."""

    def __init__(self, clients=1, lossy=False, cut=False, kernels=(), counted=()):
        self.theirs = {client_mac(i + 1) for i in range(clients)}
        self.kernels = {server_mac(name) for name in kernels}
        self.lossy, self.cut, self.counted = lossy, cut, dict(counted)

    def holds(self, rule, frame, at_client):
        """Whether the rule's circumstances are this frame's."""
        return (rule.where == ANYWHERE or rule.where == AT_SERVERS and not at_client or
                rule.where == WITH_LOSS and self.lossy or rule.where == BY_KERNELS and frame.mac in self.kernels)


def client_mac(index):
    return f"02:ca:0a:63:00:{100 + index:02x}"


def server_mac(name):
    return f"02:ca:0a:63:00:{10 + int(name[1:]):02x}"


def port_of(path):
    """c1 of c1.pcapng, and of c1.2.pcapng, which a switch left that ended."""
    return os.path.basename(path).split(".")[0]


def frames(path):
    """All frames of a capture, with what experts say of each."""
    fields = [arg for field in FIELDS for arg in ("-e", field)]
    p = subprocess.run(["tshark", "-n", "-r", path, *PLAIN, *STRICT, "-T", "fields", "-E", f"aggregator={BETWEEN}",
                        *fields], capture_output=True, timeout=TSHARK_S, check=False)
    check(p.returncode == 0, f"tshark {path}: {p.stderr.decode()}")
    return [Frame(*line.split("\t")) for line in p.stdout.decode().splitlines()]


class Said:
    """What is to be told of a rack: frames, those of our side, words by rule."""

    def __init__(self):
        self.frames = self.ours = self.followed = 0
        self.kinds, self.rules = collections.Counter(), collections.Counter()
        self.unexplained = collections.defaultdict(list)

    def take(self, path, seen, scene):
        at_client = port_of(path).startswith("c")
        self.frames += len(seen)
        for frame in seen:
            if frame.mac in scene.theirs:
                continue
            self.ours += 1
            for message in filter(None, frame.words.split(BETWEEN)):
                self.kinds[re.sub(r"#\d+|frame \d+", "#N", message)] += 1
                rule = next((r for r in RULES if re.match(r.pattern, message) and
                             scene.holds(r, frame, at_client)), None)
                if rule:
                    self.rules[rule.name] += 1
                else:
                    self.unexplained[os.path.basename(path), message].append(frame.number)

    def as_json(self):
        return {"frames": self.frames, "ours": self.ours, "put_back": self.followed, "kinds": self.kinds,
                "rules": self.rules}


def judge(directory, scene):
    """Every capture of the switch's ports in a directory: nothing unexplained."""
    paths = sorted(glob.glob(os.path.join(directory, "*.pcapng")), key=lambda p: (os.path.getmtime(p), p))
    check(paths, f"{directory} has no capture")
    said, hops = Said(), put_back.Hops(scene)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, seen in zip(paths, pool.map(frames, paths)):
            said.take(path, seen, scene)
            hops.take(port_of(path), seen)
    said.followed = hops.judge()
    for (name, message), numbers in said.unexplained.items():
        check(False, f"{name}: \"{message}\" in {len(numbers)} frames, such as {numbers[:3]}")
    return said
