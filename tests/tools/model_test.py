#!/usr/bin/env python3
"""The model of TCPMig and the code speak of the same: states, messages and verdicts of tcpmig.pml are
those of the code, and docs/protocol.md's table of the model names what exists, all of it."""

import glob
import os
import re
import unittest

HOUSE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
# Prefix in the code, prefix in the model, file of the code, what the model leaves out and why.
NAMES = [
    ("CAPY_MIG_", "", "src/wire/tcpmig.h", None),  # the code has more messages
    ("CAPY_VERDICT_", "V_", "src/wire/tcpmig.h", {"CNT"}),
    ("CAPY_PHASE_", "", "src/wire/tcpmig.h", set()),
    ("CAPY_ORIGIN_", "", "src/mig/mig.h", set()),
    ("CAPY_TARGET_", "", "src/mig/mig.h", {"RECEIVING", "DONE"}),  # a CONN_STATE is one message
]
MESSAGES = ["PREPARE_MIG", "PREPARE_MIG_ACK", "CONN_STATE", "CONN_STATE_ACK", "CANCEL", "NACK", "ANNOUNCE"]


def read(path):
    with open(os.path.join(HOUSE, path), encoding="utf-8") as f:
        return f.read()


def read_all(*patterns):
    return "\n".join(read(os.path.relpath(path, HOUSE)) for pattern in patterns
                     for path in sorted(glob.glob(os.path.join(HOUSE, pattern))))


def rows():
    """The table's cells: what is in the model, what in the code."""
    section = read("docs/protocol.md").split("\n## 10. ")[1].split("\n## ")[0]
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] != "in the model":
            yield cells


def named(cell):
    """Full names in a cell's code quotes: after `capy_x_one`, `_two` stands for capy_x_two."""
    full = None
    for name in re.findall(r"`([A-Za-z_0-9/.]+)`", cell):
        if name.startswith("_"):
            yield [full[:i] + name for i in range(len(full)) if full[i] == "_"]
        else:
            full = name
            yield [name]


class Model(unittest.TestCase):
    def test_states_messages_and_verdicts_are_those_of_the_code(self):
        model = set(re.findall(r"^#define (\w+) \d+", read("tests/model/tcpmig.pml"), re.M))
        for prefix, here, path, left_out in NAMES:
            code = set(re.findall(rf"\b{prefix}(\w+)\b", read(path)))
            for name in MESSAGES if left_out is None else sorted(code - left_out):
                self.assertIn(name, code, f"{path} has no {prefix}{name}")
                self.assertIn(here + name, model, f"tcpmig.pml has no {here}{name} ({path})")

    def test_the_table_names_what_is_there(self):
        model = read_all("tests/model/*.pml")
        code = read_all("src/*/*.[ch]", "switch/core/*.[ch]")
        for left, right in rows():
            for names in named(left):
                self.assertTrue(any(re.search(rf"\b{n}\b", model) for n in names), f"{names}: no model")
            for names in named(right):
                known = any(os.path.exists(os.path.join(HOUSE, n)) if "/" in n else
                            re.search(rf"\b{n}\b", code) for n in names)
                self.assertTrue(known, f"{names}: not in the code")

    def test_the_table_names_all_of_the_protocol(self):
        told = {name for left, _ in rows() for names in named(left) for name in names}
        for part in ("switch", "origin", "target"):
            for name in re.findall(r"^inline (\w+)", read(f"tests/model/{part}.pml"), re.M):
                self.assertIn(name, told, f"{part}.pml: {name} is not in docs/protocol.md's table")


if __name__ == "__main__":
    unittest.main()
