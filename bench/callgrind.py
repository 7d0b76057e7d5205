"""Instructions, counted by callgrind inside the functions measured_* of a bench: they repeat exactly."""

import re
import shutil
import subprocess


def here():
    return shutil.which("valgrind") is not None


def counted(program, *what, inside="measured_*"):
    """Of `program count ...`: (instructions executed there, things done)"""
    out = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         f"--toggle-collect={inside}", program, "count", *what],
        capture_output=True, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", out.stderr).group(1)), int(out.stdout)


def per_thing(program, *what, cnt, behind=()):
    """Two runs of different length, subtracted, so that the start is not in it."""
    few, few_things = counted(program, *what, str(cnt), *behind)
    many, many_things = counted(program, *what, str(3 * cnt), *behind)
    return round((many - few) / (many_things - few_things))
