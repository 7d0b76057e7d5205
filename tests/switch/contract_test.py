#!/usr/bin/env python3
"""docs/switch.md's table of the contract and the vectors say the same: every row names vector files that are
there and run, every file is in a row, and what the P4 plane leaves out are vectors that exist."""
import os
import re
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VECTORS = os.path.join(ROOT, "tests/switch/vectors")


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
        return f.read()


def rows():
    """What the contract's table says: (row, names of vector files)."""
    table = read("docs/switch.md").split("## The contract, row by row")[1].split("\n## ")[0]
    cells = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return [(c[0].strip("| "), re.findall(r"\w+", c[2])) for c in cells[1:]]


def files():
    return {name.removesuffix(".vec") for name in os.listdir(VECTORS) if name.endswith(".vec")}


def vectors(name):
    """The headings of a file."""
    return [re.sub(r"\s*\(only .*", "", heading) for heading in
            re.findall(r"^vector (.*)$", read(VECTORS, name + ".vec"), re.M)]


class Contract(unittest.TestCase):
    def test_each_row_has_vectors(self):
        self.assertGreater(len(rows()), 12)
        for row, names in rows():
            self.assertTrue(names, f"\"{row}\" has no vectors")
            for name in names:
                if name != "all":
                    self.assertIn(name, files(), f"\"{row}\" names a file that is not there")
                    self.assertTrue(vectors(name), f"{name}.vec has no vector")

    def test_each_file_is_of_a_row_and_runs(self):
        self.assertEqual(files(), {name for _, names in rows() for name in names} - {"all"})
        self.assertEqual(files(), set(re.findall(r"'(\w+)\.vec'", read(VECTORS, "meson.build"))))

    def test_names_are_unique(self):
        names = [v for f in files() for v in vectors(f)]
        self.assertEqual(sorted(set(names)), sorted(names))

    def test_what_is_left_out_exists(self):
        names = {v for f in files() for v in vectors(f)}
        left_out = read(VECTORS, "bmv2.left-out").splitlines()
        for line in left_out:
            name, reason = line.rsplit(": ", 1)
            self.assertIn(name, names)
            self.assertTrue(reason)
        text = read("docs/switch.md")
        self.assertIn(f"the {len(left_out)} vectors that this plane does not honour", text)


if __name__ == "__main__":
    unittest.main()
