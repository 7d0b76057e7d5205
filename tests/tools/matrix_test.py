#!/usr/bin/env python3
"""docs/rfc-matrix.md: every file and every test that it names exists, every row has a state, and no
requirement of RFC 9293's Appendix B is missing."""

import os
import re
import unittest

HOUSE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
STATES = {"done", "deviation", "n/a"}
COUNTS = {"MUST": 69, "SHLD": 31, "MAY": 18, "REC": 1}


def read(path):
    with open(os.path.join(HOUSE, path), encoding="utf-8") as f:
        return f.read()


def rows():
    """Cells of the matrix's rows, without headings."""
    for line in read("docs/rfc-matrix.md").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] not in ("nr", "§") and set(cells[0]) != {"-"}:
            yield cells


def test_file(room, name):
    """The file of a test named room/name:..., or None."""
    for path in (f"tests/unit/{room}/{name}_test.c", f"tests/{room}/{name}_test.c",
                 f"tests/{room}/{name}_test.py"):
        if os.path.exists(os.path.join(HOUSE, path)):
            return path
    return None


def code_file(name):
    return any(os.path.exists(os.path.join(HOUSE, top, name)) for top in ("src", "."))


class Matrix(unittest.TestCase):
    def test_rows_are_whole(self):
        for cells in rows():
            self.assertEqual(len(cells), 5, cells)
            self.assertIn(cells[2], STATES, cells)
            self.assertTrue(cells[4], f"neither a test nor a reason: {cells}")
            if cells[2] == "done":
                self.assertTrue("`" in cells[4] or "below" in cells[4] or "see " in cells[4] or
                                "there is no" in cells[4] or "need not" in cells[4], cells)

    def test_code_exists(self):
        for cells in rows():
            for name in re.findall(r"`([^`]+)`", cells[3]):
                self.assertTrue(code_file(name), f"{cells[0]}: {name}")

    def test_tests_exist(self):
        missing = []
        for cells in rows():
            for room, name, test in re.findall(r"`([\w]+)/(\w+):(\w+)`", cells[4]):
                path = test_file(room, name)
                if not path or not re.search(rf"\b{test}\b", read(path)):
                    missing.append(f"{cells[0]}: {room}/{name}:{test}")
        self.assertEqual(missing, [])

    def test_no_requirement_is_missing(self):
        text = " ".join(cells[0] for cells in rows())
        for kind, cnt in COUNTS.items():
            for nr in range(1, cnt + 1):
                self.assertRegex(text, rf"\b{kind}-{nr}\b")


if __name__ == "__main__":
    unittest.main()
