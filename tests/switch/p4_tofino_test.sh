#!/bin/sh
# Syntax and types of the Tofino program, by p4test with the open TNA headers (p4c's back end for Tofino
# installs both). Skipped by name without them. It is no proof that the program fits: docs/switch.md.
source=$(dirname "$0")/../../switch/p4/capy_tna.p4
if ! command -v p4test >/dev/null; then
    echo "no p4test; install p4c with its Tofino back end"
    exit 77
fi
# "$@": more include folders, -I DIR
if ! printf '#include <core.p4>\n#include <tna.p4>\n' | cpp -undef -nostdinc -D__TARGET_TOFINO__=1 \
    -I "$(dirname "$(command -v p4test)")/../share/p4c/p4include" "$@" >/dev/null 2>&1; then
    echo "p4test has no tna.p4; install p4c with its Tofino back end"
    exit 77
fi
# Numbers that only the other program uses; and fields that a register's action reads, whom the compiler does not
# see set before it is executed.
exec p4test -D__TARGET_TOFINO__=1 --Wdisable=unused --Wdisable=uninitialized-use "$@" "$source"
