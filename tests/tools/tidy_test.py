#!/usr/bin/env python3
"""tools/tidy: a small house without faults passes, and each fault put into it is found by name."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TIDY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/tidy")


def function(name, lines):
    return f"int {name}(void)\n{{\n" + "    (void)0;\n" * (lines - 1) + "    return 0;\n}\n"


class Tidy(unittest.TestCase):
    def setUp(self):
        self.house = tempfile.mkdtemp(prefix="capy-tidy-")
        self.addCleanup(shutil.rmtree, self.house)
        os.mkdir(os.path.join(self.house, "tools"))
        shutil.copy(TIDY, os.path.join(self.house, "tools"))
        self.put("src/base/list.h", "/* Lists. */\n#include <stdint.h>\n")
        self.put("src/wire/tcp.c", '/* TCP. */\n#include "base/list.h"\n' + function("short", 60))
        self.put("src/drv/tap.c", '/* TAP. */\n#include "wire/tcp.h"\n#include <time.h>\n')
        self.put("apps/httpd/main.c", '/* httpd. */\n#include "capy/capy.h"\n')

    def put(self, path, text):
        path = os.path.join(self.house, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def tidy(self, *arguments):
        """Findings, without the report on formatting; and checks the exit status against them."""
        out = subprocess.run([sys.executable, os.path.join(self.house, "tools/tidy"), *arguments],
                             capture_output=True, text=True)
        findings = [line for line in out.stdout.splitlines() if not line.startswith("format:")]
        self.assertEqual(out.returncode, 1 if findings else 0, out.stdout + out.stderr)
        return findings

    def expect(self, *beginnings):
        findings = self.tidy()
        self.assertEqual(len(findings), len(beginnings), findings)
        for finding, beginning in zip(findings, beginnings):
            self.assertTrue(finding.startswith(beginning), finding)
            self.assertIn("; ", finding)  # every finding says the remedy

    def test_faultless_house_passes(self):
        self.assertEqual(self.tidy(), [])

    def test_include_against_the_arrows(self):
        self.put("src/base/list.h", '/* Lists. */\n#include "wire/tcp.h"\n')
        self.expect("src/base/list.h:2: src/base includes src/wire")

    def test_app_includes_src(self):
        self.put("apps/httpd/main.c", '/* httpd. */\n\n#include "base/list.h"\n')
        self.expect("apps/httpd/main.c:3: apps includes src/base")

    def test_simulator_includes_driver(self):
        self.put("sim/rack.c", '/* Rack. */\n#include "drv/drv.h"\n#include "stack/stack.h"\n')
        self.expect("sim/rack.c:2: sim includes src/drv")

    def test_include_of_no_room(self):
        self.put("src/wire/arp.c", '/* ARP. */\n#include "elsewhere.h"\n')
        self.expect('src/wire/arp.c:2: "elsewhere.h" is in no room')

    def test_system_header_in_the_core(self):
        self.put("src/wire/arp.c", "/* ARP. */\n#include <time.h>\n")
        self.expect("src/wire/arp.c:2: system header <time.h>")

    def test_call_that_is_not_recorded(self):
        self.put("src/sock/call.c", "/* Calls. */\n/* capy_stack_close(os->stack) */\n"
                 "int f(void)\n{\n    return capy_stack_readable(os->stack, 1);\n}\n"
                 "int g(void)\n{\n    return capy_stack_close(os->stack, 1);\n}\n")
        self.expect("src/sock/call.c:9: capy_stack_close is not recorded")

    def test_core_words(self):
        self.put("src/tcp/rtt.c", '/* No double here. */\nstatic double rtt; // "float"\n'
                 'static const char *s = "double";\nint f(void) { return time(0); }\n'
                 "static _Atomic int a;\nint g(void) { return runtime(0); }\n")
        self.expect("src/tcp/rtt.c:2: floating point", "src/tcp/rtt.c:4: a clock",
                    "src/tcp/rtt.c:5: atomics")

    def test_long_function(self):
        self.put("src/wire/arp.c", "/* ARP. */\n" + function("long_one", 61))
        self.expect("src/wire/arp.c:2: long_one() has 61 lines")

    def test_long_file(self):
        self.put("src/wire/arp.c", "/* ARP. */\n" + "\n" * 600)
        self.expect("src/wire/arp.c:1: the file has 601 lines")

    def test_waiver_holds_and_only_shrinks(self):
        self.put("src/wire/arp.c", "/* ARP. */\n" + function("long_one", 70))
        for lines, beginning in [(70, None), (69, "src/wire/arp.c:2: long_one() has 70 lines"),
                                 (71, "tools/tidy-waivers.txt:1: src/wire/arp.c:long_one is down")]:
            self.put("tools/tidy-waivers.txt", f"src/wire/arp.c:long_one {lines}  # why\n")
            self.expect(*([beginning] if beginning else []))

    def test_needless_waiver(self):
        self.put("tools/tidy-waivers.txt", "src/wire/tcp.c:short 65\n")
        self.expect("tools/tidy-waivers.txt:1: src/wire/tcp.c:short needs no waiver")

    def test_text(self):
        self.put("src/wire/arp.c", "#include <stdint.h>\nint a; \nint b;")
        self.expect("src/wire/arp.c:2: trailing whitespace", "src/wire/arp.c:3: no newline",
                    "src/wire/arp.c:1: no header comment")

    @unittest.skipUnless(shutil.which("cc") and shutil.which("ar"), "no compiler")
    def test_symbols(self):
        rooms = ["src/base", "src/wire", "src/tcp", "src/mig", "src/stack", "switch/core"]
        code = ("#include <string.h>\nint crypto_aead_x(int); int rand(void); int capy_b(int);\n"
                "int capy_a(int n) { return capy_b(crypto_aead_x(rand())) + (int)strlen((char *)&n); }")
        for room in rooms:
            where = os.path.join(self.house, "b", room)
            os.makedirs(where)
            subprocess.run(["cc", "-x", "c", "-c", "-", "-o", f"{where}/a.o"], input=code, text=True,
                           check=True)
            name = "capy_" + room.removeprefix("src/").replace("/", "_")
            subprocess.run(["ar", "rc", f"{where}/lib{name}.a", f"{where}/a.o"], check=True)
        findings = self.tidy("b")
        self.assertEqual(len([f for f in findings if "calls rand" in f]), len(rooms))
        self.assertEqual(len([f for f in findings if "crypto_aead_x" in f]), len(rooms) - 1)
        self.assertEqual(len(findings), 2 * len(rooms) - 1)


if __name__ == "__main__":
    unittest.main()
