#!/usr/bin/env python3
"""Writes files into a C++ source, so that the binary has them. Usage: embed.py OUTPUT FILE..."""

import os
import sys

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8"}


def quoted(line):
    return '"' + line.replace("\\", "\\\\").replace('"', '\\"') + '\\n"'


def main():
    output, *paths = sys.argv[1:]
    rows = []
    for path in paths:
        name = os.path.basename(path)
        with open(path, encoding="utf-8") as file:
            lines = "\n     ".join(quoted(line) for line in file.read().splitlines())
        target = "/" if name == "index.html" else "/" + name
        rows.append(f'    {{"{target}", "{TYPES[os.path.splitext(name)[1]]}",\n     {lines}}}')
    with open(output, "w", encoding="utf-8") as file:
        file.write('// Made by embed.py.\n#include "control/admin/dashboard.h"\n\n#include <array>\n\n'
                   "namespace mcplane::control {\n\nstd::span<const DashboardFile> dashboard_files() {\n"
                   f"  static constexpr std::array<DashboardFile, {len(rows)}> kFiles = {{{{\n"
                   + ",\n".join(rows) + "}};\n  return kFiles;\n}\n\n}  // namespace mcplane::control\n")


main()
