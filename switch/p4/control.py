#!/usr/bin/env python3
"""The control program of the P4 switch (docs/switch.md, "The P4 program").

    control.py command RACK          the simple_switch command line for this rack file's ports
    control.py run RACK              fills the tables of a running simple_switch, then ages its entries
    control.py show RACK             directory, servers, counters
    control.py tofino RACK           the same tables as a bfrt_python script, for a Tofino

It speaks with simple_switch through bmv2's simple_switch_CLI; --thrift-port says where (9090). The data
plane does all that frames ask for. What takes a clock and no frame is here: `run` finds the slots that are
taken and sends a frame for each to the control port, on which the data plane itself looks at the entry, so
that nothing is removed that was touched a moment ago."""
import argparse
import dataclasses
import os
import re
import secrets
import shutil
import socket
import struct
import subprocess
import sys
import time

NOBODY = 0xffff
VIP = 0xfffe  # numbers.p4: in place of a flow's home
CONTROL_PORT = 64  # numbers.p4
CONTROL_DEVICE = "capy-sweep"
SERVERS_MAX = 16  # numbers.p4
SWEEP = 0x88b6  # numbers.p4
GROUP_FLOOD, GROUP_ALL = 1, 2  # capy_v1model.p4
MAPPED = 0xffff << 32
MAGLEV_SLOTS = 4093  # numbers.p4; a prime
ADDRESS_TABLES = "src_server dst_server home_server asked_server".split()  # v1model_tables.p4
MAC_TABLES = "src_mac_server dst_mac_server".split()
PLACE_TABLES = ("mac_place dst_mac_place segment_place sender_place home_place owner_place "
                "named_place peer_place asked_place route_place").split()
SERVICE_TABLES = "dst_service mig_service born_service".split()
HOME_TABLES = ("home_place", "named_place")  # the service address is in them, too
HERE = os.path.dirname(os.path.abspath(__file__))


class Refusal(Exception):
    """What an operator did wrong, and what to do instead."""


# ---- the rack ------------------------------------------------------------------------------------


def family(address):
    """1 for an IPv4-mapped address, 2 for another."""
    return 1 if address >> 32 == 0xffff else 2


@dataclasses.dataclass
class Server:
    """Addresses are 128-bit numbers, IPv4 as ::ffff:a.b.c.d; 0 is none. port: of the switch."""
    port: int = 0
    mac: int = 0
    ip: int = 0
    ip6: int = 0
    name: str = ""

    def address(self, of_family):
        """Its address of this family, or 0."""
        if family(self.ip) == of_family:
            return self.ip
        return self.ip6 if of_family == 2 else 0

    def families(self):
        return family(self.ip) | (2 if self.ip6 else 0)


@dataclasses.dataclass
class Config:
    """What the tables hold; times in microseconds."""
    mac: int = 0
    ip: int = 0
    ip6: int = 0
    vip: int = 0
    vip6: int = 0
    services: list = dataclasses.field(default_factory=list)  # ports of the service address
    maglev: bool = True  # else its new connections go to the least-loaded server
    port_first: int = 61440
    port_cnt: int = 4096
    lease: int = 150000
    learn: int = 500000
    age: int = 300000000
    linger: int = 5000000
    boot: int = 1
    slots: int = 65536
    levels: int = 2
    key: tuple = (0, 0)
    hash: tuple = (0, 0)
    ports: int = 0
    client_ports: list = dataclasses.field(default_factory=list)
    servers: list = dataclasses.field(default_factory=list)
    devices: list = dataclasses.field(default_factory=list)

    def layout(self):
        """What changes only with the rack."""
        return repr((self.servers, self.client_ports, self.mac, self.vips(), self.services))

    def vips(self):
        return [address for address in (self.vip, self.vip6) if self.services and address]

    def vip_of(self, of_family):
        """The service address of this family, or 0."""
        return next((a for a in self.vips() if family(a) == of_family), 0)

    def home(self, entry):
        """The address that the client of an entry talks to."""
        if entry["home"] == VIP:
            return self.vip_of(family(entry["client"]))
        return self.servers[entry["home"]].address(family(entry["client"]))


def numbers(name):
    """The value of a #define of numbers.p4."""
    with open(os.path.join(HERE, "numbers.p4"), encoding="utf-8") as f:
        return int(re.search(r"#define %s (\d+)" % name, f.read()).group(1))


TOKEN = re.compile(r'\s*(?:(#|//)[^\n]*|/\*.*?\*/|("(?:[^"\\]|\\.)*")|(-?0x[0-9a-fA-F]+|-?\d+)L?\b'
                   r'|(true|false)\b|([A-Za-z*][-A-Za-z0-9_*]*)|([{}()\[\],;:=]))', re.S)


def tokens(text):
    at = 0
    while text[at:].strip():
        m = TOKEN.match(text, at)
        if not m:
            raise Refusal("the rack file is not in libconfig's syntax near \"%s\"; ask `capy rack`"
                          % text[at:at + 20].strip())
        at = m.end()
        if m.group(2):
            yield m.group(2)[1:-1]
        elif m.group(3):
            yield int(m.group(3), 0)
        elif m.group(4):
            yield m.group(4) == "true"
        elif m.group(5) or m.group(6):
            yield (m.group(5) or m.group(6),)


def parse_value(it, first):
    """A scalar, a {group}, or a (list) or [array]."""
    if not isinstance(first, tuple):
        return first
    if first[0] == "{":
        return parse_group(it)
    if first[0] not in "([":
        raise Refusal("the rack file has %s where a value belongs" % first[0])
    out = []
    for token in it:
        if token in ((")",), ("]",)):
            return out
        if token != (",",):
            out.append(parse_value(it, token))
    raise Refusal("the rack file ends inside a list")


def parse_group(it):
    out = {}
    for token in it:
        if token == ("}",):
            break
        if token in ((";",), (",",)):
            continue
        next(it)  # ':' or '='
        out[token[0]] = parse_value(it, next(it))
    return out


def number_of_ip(text):
    if ":" in text:
        return int.from_bytes(socket.inet_pton(socket.AF_INET6, text), "big")
    return MAPPED | int.from_bytes(socket.inet_aton(text), "big")


def number_of_mac(group):
    if "mac" in group:
        return int(group["mac"].replace(":", ""), 16)
    return 0x02ca << 32 | number_of_ip(group["ip"]) & 0xffffffff


def read_rack(path):
    """A Config of a rack file that `capy` has accepted: this reads it, and checks what only P4 cannot."""
    try:
        with open(path, encoding="utf-8") as f:
            rack = parse_group(iter(tokens(f.read())))
    except OSError as e:
        raise Refusal("%s: %s; name the rack file" % (path, e.strerror)) from e
    general, switch = rack["rack"], rack["switch"]
    directory = switch.get("directory", {})
    tcpmig_port = general.get("tcpmig_port", 7777)
    if tcpmig_port != numbers("CAPY_TCPMIG_PORT"):
        raise Refusal("tcpmig_port is %d, and the P4 program was made for %d; compile it with "
                      "-DCAPY_TCPMIG_PORT=%d and change numbers.p4 alike"
                      % (tcpmig_port, numbers("CAPY_TCPMIG_PORT"), tcpmig_port))
    if len(rack["servers"]) > SERVERS_MAX:
        raise Refusal("the P4 switch has room for %d servers; use --plane user for more"
                      % SERVERS_MAX)
    slots, levels = directory.get("slots", 65536), directory.get("levels", 2)
    if slots > numbers("CAPY_SLOTS") or levels > 2:
        raise Refusal("the P4 switch has 2 levels of %d slots; lower slots and levels"
                      % numbers("CAPY_SLOTS"))
    key = bytes.fromhex(general["key"])
    cfg = Config(
        mac=number_of_mac(switch), ip=number_of_ip(switch["ip"]),
        ip6=number_of_ip(switch["ip6"]) if "ip6" in switch else 0,
        port_first=general.get("mig_port_first", 61440), port_cnt=general.get("mig_port_cnt", 4096),
        lease=general.get("lease_us", 3 * general.get("heartbeat_us", 50000)),
        learn=directory.get("learn_us", 500000), age=directory.get("age_s", 300) * 1000000,
        linger=directory.get("linger_ms", 5000) * 1000, boot=secrets.randbits(63) | 1, slots=slots,
        levels=levels, key=tuple(int.from_bytes(key[i:i + 8], "big") for i in (0, 8)),
        hash=(secrets.randbits(64), secrets.randbits(64)),
        vip=number_of_ip(switch["vip"]) if "vip" in switch else 0,
        vip6=number_of_ip(switch["vip6"]) if "vip6" in switch else 0,
        maglev=switch.get("vip_policy", "maglev") == "maglev")
    if cfg.vip:
        cfg.services = [s["port"] for s in rack["services"]]
    for s in rack["servers"]:
        cfg.servers.append(Server(
            port=len(cfg.servers), mac=number_of_mac(s), ip=number_of_ip(s["ip"]),
            ip6=number_of_ip(s["ip6"]) if "ip6" in s else 0, name=s["name"]))
        cfg.devices.append(s["port"])
    for device in switch["client_ports"]:
        cfg.client_ports.append(len(cfg.devices))
        cfg.devices.append(device)
    return cfg


# ---- the service address's table -----------------------------------------------------------------


def siphash13(key, data):
    """SipHash-1-3 (src/base/siphash.h) of bytes, by two 64-bit numbers."""
    mask = (1 << 64) - 1
    v = [key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
         key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573]

    def mix(a, b, by):
        v[a] = (v[a] + v[b]) & mask
        v[b] = (v[b] << by | v[b] >> (64 - by)) & mask ^ v[a]

    def turn(a):
        v[a] = (v[a] << 32 | v[a] >> 32) & mask

    def sip_round():
        mix(0, 1, 13)
        turn(0)
        mix(2, 3, 16)
        mix(0, 3, 21)
        mix(2, 1, 17)
        turn(2)

    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xff])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at:at + 8], "little")
        v[3] ^= word
        sip_round()
        v[0] ^= word
    v[2] ^= 0xff
    for _ in range(3):
        sip_round()
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def maglev_table(members, addresses):
    """The server of each slot, as switch/core/maglev.c has it: each member walks the slots in an order of its
    own, which its address decides, and they take the free ones that they meet in turns."""
    table = [0xff] * MAGLEV_SLOTS
    walk = {}
    for i in sorted(members):
        name = siphash13((0x6d61676c6576, 0), addresses[i].to_bytes(16, "big"))
        walk[i] = [(name >> 32) % MAGLEV_SLOTS, (name & 0xffffffff) % (MAGLEV_SLOTS - 1) + 1]
    filled = 0
    while walk and filled < MAGLEV_SLOTS:
        for i, (at, skip) in walk.items():
            while filled < MAGLEV_SLOTS and table[at] != 0xff:
                at = (at + skip) % MAGLEV_SLOTS
            if filled < MAGLEV_SLOTS:
                table[at] = i
                filled += 1
            walk[i][0] = at
    return table


# ---- simple_switch -------------------------------------------------------------------------------


class Switch:
    """A running simple_switch, through its command line program."""

    def __init__(self, thrift_port):
        self.thrift_port = thrift_port
        self.marks = 0
        self.maglev = None  # what the register holds, once that is known
        self.members = set()  # of the table that is in use; none: it is not used
        if not shutil.which("simple_switch_CLI"):
            raise Refusal("no simple_switch_CLI; install bmv2, or put it into PATH")
        for _ in range(100):
            self.cli = subprocess.Popen(
                ["simple_switch_CLI", "--thrift-port", str(thrift_port)], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            try:
                self.run("")
                return
            except (Refusal, BrokenPipeError):
                self.cli.wait()
                time.sleep(0.2)
        raise Refusal("no simple_switch at thrift port %d; start it as `control.py command` says"
                      % thrift_port)

    def run(self, *commands):
        """What the program says to these commands."""
        self.marks += 1
        mark = "mark-%d" % self.marks
        self.cli.stdin.write("".join(c + "\n" for c in commands) + "shell echo %s\n" % mark)
        self.cli.stdin.flush()
        out = []
        for line in self.cli.stdout:
            line = re.sub(r"^(RuntimeCmd: )+", "", line.rstrip("\n"))
            if line == mark:
                break
            out.append(line)
        else:
            raise Refusal("simple_switch_CLI ended; is simple_switch still there?")
        said = "\n".join(out)
        if re.search(r"Invalid|Error|error|Unknown", said):
            raise Refusal("simple_switch refused a command: %s" % said.strip()[:400])
        return said

    def read(self, register):
        said = self.run("register_read " + register)
        return [int(v) for v in said[said.index("=") + 1:].split(",")]

    def write(self, register, index, value):
        self.run("register_write %s %d %d" % (register, index, value))

    REGISTERS = ("dir_client_high dir_client_middle dir_client_low dir_flow dir_state dir_owner "
                 "dir_previous dir_mig_id dir_touched dir_closing dir_pending server_heard "
                 "server_incarnation server_gen server_load server_free server_share server_takes "
                 "server_families last_chosen booted maglev station_place station_heard counts").split()

    def reset(self):
        """As at the boot: it knows nothing. maglev is filled before it is used."""
        self.run(*["register_reset " + r for r in self.REGISTERS if r != "maglev"])
        self.members = set()

    TABLES = ["ports"] + [name + "_table" for name in
                          ADDRESS_TABLES + MAC_TABLES + PLACE_TABLES + SERVICE_TABLES]

    def clear(self):
        self.run(*["table_clear " + t for t in self.TABLES])

    def groups(self, cfg):
        ports = [s.port for s in cfg.servers] + cfg.client_ports
        for group, members in ((GROUP_FLOOD, ports), (GROUP_ALL, ports + [CONTROL_PORT])):
            if self.has_group(group):
                self.run("mc_mgrp_destroy %d" % group)
            self.run("mc_mgrp_create %d" % group)
            said = self.run("mc_node_create 0 " + " ".join(str(p) for p in members))
            self.run("mc_node_associate %d %s" % (group, re.search(r"handle (\d+)", said).group(1)))

    def has_group(self, group):
        return "mgrp(%d)" % group in self.run("mc_dump")

    def tables(self, cfg):
        self.run(*["table_add " + line for line in table_lines(cfg)])

    def rack(self, cfg):
        values = rack_values(cfg, bool(self.members))
        self.run("table_set_default rack configure " + " ".join(str(v) for v in values))

    def refill(self, cfg, members):
        """The service address's table, when other servers take new connections than it says. Frames are
        looked up in it meanwhile; whoever they find, the data plane asks whether it is there."""
        if not cfg.services or not cfg.maglev or members == self.members:
            return
        table = maglev_table(members, [s.ip for s in cfg.servers])
        if self.maglev is None:
            self.maglev = self.read("maglev")
        self.run(*["register_write maglev %d %d" % (i, table[i]) for i in range(MAGLEV_SLOTS)
                   if table[i] != self.maglev[i]])
        self.maglev = table
        self.members = members
        self.rack(cfg)

    def families(self, cfg):
        self.run(*["register_write server_families %d %d" % (i, s.families())
                   for i, s in enumerate(cfg.servers)])

    def used(self):
        """The slots that are taken."""
        return [i for i, v in enumerate(self.read("dir_state")) if v >> 8 & 0xff]

    def entries(self):
        out = []
        used = self.used()
        if not used:
            return out
        high, middle, low, flow, state, owner, previous = (
            self.read("dir_" + r) for r in ("client_high", "client_middle", "client_low", "flow",
                                            "state", "owner", "previous"))
        for i in used:
            out.append({
                "client": high[i] << 80 | middle[i] << 32 | low[i], "home": flow[i] >> 32,
                "client_port": flow[i] >> 16 & 0xffff, "home_port": flow[i] & 0xffff,
                "epoch": state[i] >> 16, "phase": state[i] >> 8 & 0xff, "flags": state[i] & 0xff,
                "owner": owner[i] >> 32, "owner_port": owner[i] >> 16 & 0xffff,
                "previous": previous[i] >> 32, "previous_port": previous[i] >> 16 & 0xffff})
        return out


def rack_values(cfg, by_table=False):
    """The arguments of action configure, in order."""
    return (cfg.mac, cfg.ip, cfg.ip6, cfg.vip, cfg.vip6, len(cfg.services), int(by_table), len(cfg.servers), cfg.port_first,
            cfg.port_first + cfg.port_cnt - 1, cfg.lease, cfg.learn, cfg.age, cfg.linger, cfg.boot,
            cfg.slots - 1, int(cfg.levels > 1), *cfg.key, *cfg.hash)


def table_lines(cfg):
    """Entries as `table action key => arguments`."""
    for s in cfg.servers:
        yield "ports is_server_port %d =>" % s.port
    for port in cfg.client_ports:
        yield "ports is_client_port %d =>" % port
    yield "ports is_control_port %d =>" % CONTROL_PORT
    for i, s in enumerate(cfg.servers):
        for name in ADDRESS_TABLES:
            for address in (s.ip, s.ip6):
                if address:
                    yield "%s_table set_%s %d => %d" % (name, name, address, i)
        for name in MAC_TABLES:
            yield "%s_table set_%s %d => %d" % (name, name, s.mac, i)
        for name in PLACE_TABLES:
            yield "%s_table set_%s %d => %d %d %d %d %d" % (
                name, name, i, s.mac, s.ip, s.address(1), s.address(2), s.port)
    for vip in cfg.vips():
        yield "home_server_table set_home_server %d => %d" % (vip, VIP)
    for name in HOME_TABLES if cfg.vips() else ():
        yield "%s_table set_%s %d => %d %d %d %d %d" % (
            name, name, VIP, cfg.mac, cfg.vip, cfg.vip_of(1), cfg.vip_of(2), 0)
    for i, port in enumerate(cfg.services):
        yield "dst_service_table set_dst_service %d => %d" % (port, i)
        yield "mig_service_table set_mig_service %d => %d" % (port, i)
        yield "born_service_table set_born_service %d => %d" % (i, port)


# ---- commands ------------------------------------------------------------------------------------


def command_command(cfg, args):
    interfaces = " ".join("-i %d@%s" % (i, d) for i, d in enumerate(cfg.devices))
    print("ip link add %s type veth peer name %s-far; ip link set %s up; ip link set %s-far up"
          % ((CONTROL_DEVICE,) * 4))
    print("simple_switch %s -i %d@%s-far --thrift-port %d capy_v1model.json"
          % (interfaces, CONTROL_PORT, CONTROL_DEVICE, args.thrift_port))


def sweep(switch, device):
    """One look of the data plane at each slot that is taken."""
    for slot in switch.used():
        device.send(b"\xff" * 6 + b"\0" * 6 + struct.pack(">HI", SWEEP, slot) + b"\0" * 42)


def command_run(cfg, args):
    switch = Switch(args.thrift_port)
    device = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    try:
        device.bind((CONTROL_DEVICE, 0))
    except OSError as e:
        raise Refusal("%s: %s; make it as `control.py command` says"
                      % (CONTROL_DEVICE, e.strerror)) from e
    switch.reset()
    switch.clear()
    switch.groups(cfg)
    switch.tables(cfg)
    switch.families(cfg)
    switch.rack(cfg)  # last: until then the switch passes nothing
    print("the switch is up: %d servers, %d client ports" % (len(cfg.servers), len(cfg.client_ports)),
          flush=True)
    heard = switch.read("server_heard")
    sweep_at = 0
    while True:
        time.sleep(0.5)
        heard, before = switch.read("server_heard"), heard
        takes = switch.read("server_takes")
        switch.refill(cfg, {i for i in range(len(cfg.servers)) if heard[i] != before[i] and takes[i]})
        if time.monotonic() >= sweep_at:
            sweep_at = time.monotonic() + max(cfg.linger / 1e6 / 8, 0.5)
            sweep(switch, device)


def counter_names():
    with open(os.path.join(HERE, "counters.p4"), encoding="utf-8") as f:
        return re.findall(r"COUNT_(\w+) \d", f.read())


def text_of_ip(number):
    if family(number) == 1:
        return socket.inet_ntoa((number & 0xffffffff).to_bytes(4, "big"))
    return socket.inet_ntop(socket.AF_INET6, number.to_bytes(16, "big"))


def command_show(cfg, args):
    switch = Switch(args.thrift_port)
    name = [s.name for s in cfg.servers]
    for e in switch.entries():
        print("entry %s:%d > %s:%d %s epoch %d owner %s:%d from %s:%d%s%s" % (
            text_of_ip(e["client"]), e["client_port"], text_of_ip(cfg.home(e)), e["home_port"],
            ("none", "PENDING", "SETTLED")[e["phase"]], e["epoch"], name[e["owner"]],
            e["owner_port"], name[e["previous"]], e["previous_port"],
            " served" if e["flags"] & 1 else "", " dead" if e["flags"] & 2 else ""))
    load, free, takes = (switch.read("server_" + r) for r in ("load", "free", "takes"))
    for i, s in enumerate(cfg.servers):
        print("server %s load %d free %d%s" % (s.name, load[i], free[i],
                                               "" if takes[i] else " draining or not heard"))
    for name, value in zip(counter_names(), switch.read("counts")):
        if value:
            print("count %s %d" % (name, value))


def tofino_calls(cfg):
    """capy_tna.p4's tables, as (table, action, key..., argument...). All servers are down until whoever
    hears their HEARTBEATs says otherwise (docs/switch.md)."""
    for s in cfg.servers:
        yield "ingress.ports", "is_server_port", s.port
    for port in cfg.client_ports:
        yield "ingress.ports", "is_client_port", port
    yield "ingress.ports", "is_control_port", CONTROL_PORT
    for i, s in enumerate(cfg.servers):
        ip = s.address(1) & 0xffffffff
        for name in ("src_server", "dst_server"):
            yield "ingress.%s_table" % name, "set_" + name, ip, i
        yield "ingress.home_server_table", "set_home_server", s.address(1), i
        for name in ("sender_place", "peer_place", "to_place"):
            yield "ingress.%s_table" % name, "set_" + name, i, s.mac, ip, s.port, 0, 0, 0, 0
        for name in ("sender_state", "peer_state", "owner_state", "previous_state"):
            yield "egress.%s_table" % name, "set_" + name, i, s.mac, ip, s.port, 0, 1, *[False] * 3
        yield "ingress.stations", "forward_to", s.mac, s.port
        yield "ingress.known_stations", "known", s.mac, s.port
    opened = range(cfg.port_first - 4096, cfg.port_first)
    for port in opened:
        yield "ingress.opened_ports", "keeps_port", port, port


def command_tofino(cfg, args):
    del args
    if cfg.services:
        raise Refusal("the Tofino program has no service address; remove vip, or use --plane user or xdp")
    if any(family(s.ip) != 1 for s in cfg.servers):
        raise Refusal("the Tofino program is for IPv4; give the servers IPv4 addresses in ip")
    print("# run with: bfshell -b THIS")
    print("pipe = bfrt.capy_tna.pipe")
    print("ingress, egress = pipe.CapyIngress, pipe.CapyEgress")
    for table, action, *values in tofino_calls(cfg):
        print("%s.add_with_%s(%s)" % (table, action, ", ".join(str(v) for v in values)))
    print("ingress.rack.set_default_with_configure(%d, %d, %d, True)"
          % (cfg.mac, cfg.ip & 0xffffffff, CONTROL_PORT))
    print("egress.rack.set_default_with_configure(%d, %d, %d, %d)"
          % (cfg.mac, cfg.ip & 0xffffffff, cfg.port_first, cfg.port_first + cfg.port_cnt - 1))
    print("bfrt.complete_operations()")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("command", choices=("command", "run", "show", "tofino"))
    parser.add_argument("rack", metavar="RACK")
    parser.add_argument("--thrift-port", type=int, default=9090)
    args = parser.parse_args()
    try:
        globals()["command_" + args.command](read_rack(args.rack), args)
    except Refusal as e:
        print("control.py: %s" % e, file=sys.stderr)
        return 1
    except (KeyError, StopIteration, ValueError) as e:
        print("control.py: %s is not a whole rack file (%r); ask `capy switch --rack %s`"
              % (args.rack, e, args.rack), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
