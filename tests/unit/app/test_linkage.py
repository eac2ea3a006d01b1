#!/usr/bin/env python3
"""Every binary of ours needs jemalloc; what links libmcplane alone does not: an application chooses its own allocator.

Usage: test_linkage.py APPLICATION LIBRARY BINARY..."""

import subprocess
import sys


def needed(path):
    dynamic = subprocess.run(["readelf", "-dW", path], check=True, capture_output=True, text=True).stdout
    return [line.split("[")[1].split("]")[0] for line in dynamic.splitlines() if "(NEEDED)" in line]


def main():
    application, library, *binaries = sys.argv[1:]
    assert binaries, __doc__
    wrong = [f"{path} does not need libjemalloc: {needed(path)}" for path in binaries
             if not any(name.startswith("libjemalloc.so") for name in needed(path))]
    assert any(name.startswith("libc.so") for name in needed(application)), needed(application)
    wrong += [f"{path} needs libjemalloc" for path in (application, library)
              if any(name.startswith("libjemalloc") for name in needed(path))]
    sys.exit("\n".join(wrong) or 0)


main()
