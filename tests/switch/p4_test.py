#!/usr/bin/env python3
"""The P4 sources say the same numbers as the C sources, and control.py fills the tables that they have. Needs
neither p4c nor bmv2."""
import contextlib
import io
import os
import re
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
P4 = os.path.join(ROOT, "switch/p4")
sys.dont_write_bytecode = True
sys.path.insert(0, P4)
import control  # noqa: E402

RACK = """
rack: { key = "00112233445566778899aabbccddeeff"; lease_us = 150000; %s };
switch: { ip = "10.99.0.1"; ip6 = "fd99::1"; client_ports = ( "eth1", "eth9" ); %s };
servers = ( %s );
services = ( { name = "http"; port = 80; }, { name = "https"; port = 443; } );
"""
VIP = 'vip = "10.99.0.100"; vip_policy = "least_loaded";'
SERVER = '{ name = "s%d"; ip = "10.99.0.%d"; device = "eth0"; port = "port%d"; }'


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def consts(path):
    """name -> value of a P4 file's numeric constants."""
    return {name: int(value, 0) for name, value in
            re.findall(r"^const \S+ (\w+) = (0x[0-9a-fA-F]+|\d+);", read(path), re.M)}


def rack(servers=2, general="", switch=""):
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.write(RACK % (general, switch, ", ".join(SERVER % (i, 10 + i, i)
                                                   for i in range(1, servers + 1))))
        f.flush()
        return control.read_rack(f.name)


class Numbers(unittest.TestCase):
    def test_counters(self):
        names = re.findall(r"^\s+X\((\w+)\)", read("switch/core/counters.h"), re.M)
        said = {n: int(v) for n, v in
                re.findall(r"#define (COUNT_\w+) (\d+)", read("switch/p4/counters.p4"))}
        self.assertEqual({"COUNT_" + n: i for i, n in enumerate(names)}, said)
        self.assertIn("#define CAPY_COUNTERS %d\n" % len(names), read("switch/p4/counters.p4"))

    def test_types_verdicts_phases(self):
        said = consts("switch/p4/numbers.p4")
        wire = read("src/wire/tcpmig.h")
        for what, prefix, strip, begin in (("capy_mig_type", "CAPY_MIG_", "CAPY_MIG_", 1),
                                           ("capy_mig_verdict", "CAPY_VERDICT_", "CAPY_", 0)):
            body = re.search(r"enum %s \{(.*?)\}" % what, wire, re.S).group(1)
            names = [n for n in re.findall(r"\b(%s\w+)" % prefix, re.sub(r"/\*.*?\*/", "", body,
                                                                        flags=re.S))
                     if not n.endswith(("_END", "_CNT"))]
            for i, name in enumerate(names):
                self.assertEqual(i + begin, said[name.removeprefix(strip)], name)
        self.assertEqual((0, 1, 2), (said["PHASE_NONE"], said["PENDING"], said["SETTLED"]))

    def test_the_service_address(self):
        numbers = read("switch/p4/numbers.p4")
        slots = re.search(r"#define CAPY_MAGLEV_SLOTS (\d+)u", read("switch/core/maglev.h")).group(1)
        self.assertIn("#define CAPY_MAGLEV_SLOTS %s " % slots, numbers)
        self.assertEqual(int(slots), control.MAGLEV_SLOTS)
        ports = re.search(r"#define CAPY_VIP_PORT_CNT (\d+)", read("src/wire/tcpmig.h"))
        self.assertEqual(int(ports.group(1)), consts("switch/p4/numbers.p4")["VIP_PORTS"])
        self.assertEqual(control.VIP, consts("switch/p4/numbers.p4")["VIP"])

    def test_flags_of_entries(self):
        said = consts("switch/p4/numbers.p4")
        entry = read("switch/core/entry.h")
        for c, p4 in (("SERVED", "SERVED"), ("DEAD", "DEAD"), ("FIN_CLIENT", "FIN_CLIENT"),
                      ("FIN_OWNER", "FIN_OWNER"), ("RST", "RST_OWNER"), ("HALF", "HALF"), ("ACKED", "ACKED")):
            value = int(re.search(r"CAPY_ENTRY_%s =\s+(\d+)" % c, entry).group(1))
            self.assertEqual(value, said[p4], c)


class Control(unittest.TestCase):
    def test_reads_a_rack_file(self):
        cfg = rack()
        self.assertEqual((0x0011223344556677, 0x8899aabbccddeeff), cfg.key)
        self.assertEqual(0x02ca0a630001, cfg.mac)
        self.assertEqual(0xffff0a63000b, cfg.servers[0].ip)
        self.assertEqual(["port1", "port2", "eth1", "eth9"], cfg.devices)
        self.assertEqual([2, 3], cfg.client_ports)
        self.assertEqual(150000, cfg.lease)
        self.assertEqual([], cfg.services)

    def test_reads_the_service_address(self):
        cfg = rack(switch=VIP)
        self.assertEqual((0xffff0a630064, 0, [80, 443], False), (cfg.vip, cfg.vip6, cfg.services, cfg.maglev))
        self.assertEqual(0xffff0a630064, cfg.home({"home": control.VIP, "client": 0xffff0a630065}))
        with self.assertRaisesRegex(control.Refusal, "no service address"):
            control.command_tofino(cfg, None)

    def test_hashes_as_the_stack_does(self):
        """tests/unit/base/siphash_test.c."""
        self.assertEqual(0x1bf2a9fb02df6a2e, control.siphash13((0, 0), b"capybara"))
        self.assertEqual(0xf30eb725bb91c9ea, control.siphash13((0, 0), bytes(range(15))))

    def test_maglev_shares(self):
        addresses = [0xffff0a63000b + i for i in range(3)]
        three = control.maglev_table({0, 1, 2}, addresses)
        two = control.maglev_table({0, 1}, addresses)
        for i in range(3):
            self.assertAlmostEqual(control.MAGLEV_SLOTS / 3, three.count(i), delta=2)
        kept = sum(a == b for a, b in zip(three, two) if a != 2)
        self.assertGreater(kept / (control.MAGLEV_SLOTS * 2 / 3), 0.8)
        self.assertEqual({0xff}, set(control.maglev_table(set(), addresses)))

    def test_refuses_what_p4_cannot(self):
        for arguments, words in (({"servers": 17}, "16 servers"),
                                 ({"switch": "directory: { levels = 3; };"}, "2 levels"),
                                 ({"general": "tcpmig_port = 7778;"}, "CAPY_TCPMIG_PORT=7778")):
            with self.assertRaisesRegex(control.Refusal, words):
                rack(**arguments)
        with self.assertRaisesRegex(control.Refusal, "name the rack file"):
            control.read_rack("/nonexistent")

    def test_fills_every_table(self):
        text = read("switch/p4/v1model_tables.p4")
        tables = {"ports"} | {n + "_table" for n in
                              re.findall(r"^    (?:SERVER|PLACE|SERVICE)_TABLE\((\w+),", text, re.M)}
        filled = {line.split()[0] for line in control.table_lines(rack(switch=VIP))}
        self.assertEqual(tables, filled)
        self.assertEqual(tables, set(control.Switch.TABLES))

    def test_registers(self):
        text = read("switch/p4/v1model_state.p4")
        self.assertEqual(set(re.findall(r"^    register<.*>\(.*\) (\w+);", text, re.M)),
                         set(control.Switch.REGISTERS))

    def test_configures_every_argument(self):
        for path, calls in (("v1model_tables.p4", len(control.rack_values(rack()))),):
            arguments = re.search(r"action configure\((.*?)\)", read("switch/p4/" + path), re.S)
            self.assertEqual(calls, len(arguments.group(1).split(",")))

    def test_tofino_tables(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            control.command_tofino(rack(), None)
        text = read("switch/p4/tna_ingress.p4") + read("switch/p4/tna_egress.p4")
        actions = dict(re.findall(r"action (\w+)\((.*?)\)", text, re.S))
        for macro in ("PLACE_TABLE", "STATE_TABLE"):
            arguments = re.search(r"#define %s\(.*?action set_##name\((.*?)\)" % macro, text, re.S)
            for name in re.findall(r"^    %s\((\w+)," % macro, text, re.M):
                actions["set_" + name] = arguments.group(1)
        for name in re.findall(r"^    SERVER_TABLE\((\w+),", text, re.M):
            actions["set_" + name] = "bit<16> id"
        for line in out.getvalue().splitlines():
            call = re.match(r"\w+\.\w+\.add_with_(\w+)\((.*)\)$", line)
            if not call:
                continue
            self.assertIn(call.group(1), actions)
            given = len(call.group(2).split(","))
            keys = 2 if call.group(1) == "known" else 1
            taken = len([a for a in actions[call.group(1)].split(",") if a.strip()])
            self.assertEqual(keys + taken, given, line)


if __name__ == "__main__":
    unittest.main()
