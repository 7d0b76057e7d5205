"""What tshark's experts say of the frames that our side sent, and why each kind of it is in order. One
table for all live tests: a kind that is not in it fails the test that met it. 13_expert_test.py does in
small what they all do; with CAPY_EXPERT set every rack of every live test is captured and judged."""

import collections
import glob
import os
import re
import subprocess

from rack import check

STRICT = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
          "-o", "udp.check_checksum:TRUE"]
# As data, not as whatever protocol a port number suggests.
PLAIN = ["-d", "tcp.port==0-65535,data", "-d", "udp.port==0-65535,data"]
BETWEEN = "|"  # of several experts' words on one frame

# What an expert may say of us at a client's cable, where whole connections are seen.
EXPLAINED = {
    r"Connection establish request \(SYN\)": "a connection begins: capy get",
    r"Connection establish acknowledge \(SYN\+ACK\)": "a connection begins",
    r"Connection finish \(FIN\)": "a connection ends",
    r"This frame initiates the connection closing": "a connection ends",
    r"This frame undergoes the connection closing": "a connection ends",
    r"Connection reset \(RST\)": "a program ends, or closes with data unread; nobody listens",
    r"TCP window update": "a reader has caught up",
    r"This frame is a \(suspected\) (fast |spurious )?retransmission":
        "frames are lost on purpose; and a core that is shared stalls for longer than a tail loss "
        "probe waits, two round trips of 100 us (RFC 8985 §7.2)",
    r"This frame is a \(suspected\) out-of-order segment":
        "retransmissions after a loss, and frames reordered on purpose",
    r"Duplicate ACK \(#\d+\)": "the other side's segments were lost or reordered on purpose",
    r"Duplicate to the ACK in frame \d+": "the same",
    r"D-SACK Sequence": "the other side's segments were repeated on purpose",
    r"TCP Zero Window segment": "a reader does not read (yet)",
    r"TCP window specified by the receiver is now completely full": "the peer's reader is slow",
    r"TCP keep-alive segment": "a window probe, or keep-alive",
    r"ACK to a TCP keep-alive segment": "the answer to one",
    r"TCP Zero Window Probe": "the peer's window is closed",
    r"ACK to a TCP Zero Window Probe": "the answer to one",
    r"A new tcp session is started with the same ports.*": "a port is used again after TIME_WAIT",
}
# What is so beside those at a server's cable: connections come and go in their middle.
EXPLAINED_AT_SERVERS = {
    r"Previous segment\(s\) not captured.*": "the connection came here by migration",
    r"ACKed segment that wasn't captured.*": "the same",
    r'"Time To Live" only \d+': "relayed or put back again and again while a new switch learns who owns "
                               "the flow; each time it has one less, which ends it",
}
# ... and where frames are lost before they reach the observer.
EXPLAINED_WITH_LOSS = EXPLAINED_AT_SERVERS


def explained(message, tables):
    return any(re.match(pattern, message) for table in tables for pattern in table)


def words(path, clients):
    """Counts what experts say of frames that none of the clients sent: {message: frames}."""
    not_theirs = " && ".join(f"!(eth.src == {mac})" for mac in clients)
    p = subprocess.run(["tshark", "-n", "-r", path, *PLAIN, *STRICT,
                        "-Y", f"_ws.expert && {not_theirs}", "-T", "fields",
                        "-E", f"aggregator={BETWEEN}", "-e", "frame.number",
                        "-e", "_ws.expert.message"],
                       capture_output=True, timeout=300)
    check(p.returncode == 0, f"tshark {path}: {p.stderr.decode()}")
    said = collections.defaultdict(list)
    for line in p.stdout.decode().splitlines():
        number, messages = line.split("\t")
        for message in messages.split(BETWEEN):
            said[message].append(number)
    return said


def client_mac(index):
    return f"02:ca:0a:63:00:{100 + index:02x}"


def judge(directory, clients=1, lossy=False):
    """Every capture of the switch's ports in a directory: nothing unexplained. clients: how many, the
    kernel's, whose own frames are their affair."""
    theirs = [client_mac(i + 1) for i in range(clients)]
    kinds = collections.Counter()
    for path in sorted(glob.glob(os.path.join(directory, "*.pcapng"))):
        at_client = os.path.basename(path).startswith("c")
        tables = [EXPLAINED]
        if not at_client:
            tables.append(EXPLAINED_AT_SERVERS)
        if lossy:
            tables.append(EXPLAINED_WITH_LOSS)
        for message, numbers in words(path, theirs).items():
            kinds[re.sub(r"#\d+", "#N", message)] += len(numbers)
            check(explained(message, tables),
                  f"{os.path.basename(path)}: \"{message}\" in {len(numbers)} frames, "
                  f"such as {numbers[:3]}")
    return kinds
