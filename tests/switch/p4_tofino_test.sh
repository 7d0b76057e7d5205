#!/bin/sh
# Syntax and types of the Tofino program, by p4c's front end with the open TNA headers: p4test (p4c's back end for
# Tofino installs both), or the front end of bmv2's compiler, whose last pass writes a file. Skipped by name
# without them. It is no proof that the program fits: docs/switch.md.
source=$(dirname "$0")/../../switch/p4/capy_tna.p4
compiler=$(command -v p4test || command -v p4c-bm2-ss)
if [ -z "$compiler" ]; then
    echo "no p4test or p4c-bm2-ss; install p4c with its Tofino back end"
    exit 77
fi
# "$@": more include folders, -I DIR
if ! printf '#include <core.p4>\n#include <tna.p4>\n' | cpp -undef -nostdinc -D__TARGET_TOFINO__=1 \
    -I "$(dirname "$compiler")/../share/p4c/p4include" "$@" >/dev/null 2>&1; then
    echo "$compiler has no tna.p4; install p4c with its Tofino back end"
    exit 77
fi
# Numbers that only the other program uses; and fields that a register's action reads, whom the compiler does not
# see set before it is executed.
flags="-D__TARGET_TOFINO__=1 --Wdisable=unused --Wdisable=uninitialized-use"
case $compiler in
*p4test) exec "$compiler" $flags "$@" "$source" ;;
esac
out=$(mktemp -d) || exit 1
"$compiler" $flags --dump "$out" --top4 FrontEndLast "$@" "$source" >"$out/said" 2>&1
if ! ls "$out"/*FrontEndLast.p4 >/dev/null 2>&1; then # behind the front end it only knows v1model
    cat "$out/said"
    rm -r "$out"
    exit 1
fi
rm -r "$out"
