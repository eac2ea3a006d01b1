#!/usr/bin/env python3
"""Holds the layer table: base <- wire <- net <- state <- dataplane, state <- control, wire <- client, app on top; and
within control and app the table of their rooms.

Usage: test_layers.py SOURCE_ROOT. Looks at #include lines and at rte_ tokens of C++ files.
"""

import re
import unittest

from source_tree import CODE_SUFFIXES, TreeTest, read_tree, root_argument, without_comments, without_literals

ROOT = root_argument()

# What a layer may include: folders of src/, single headers, and "mcplane" for the public SDK.
ALLOWED = {
    "base": ("base",),
    "wire": ("base", "wire"),
    "net": ("base", "wire", "net"),
    "net/dpdk": ("base", "wire", "net", "net/dpdk"),
    "state": ("base", "wire", "net/ring.h", "state"),
    "dataplane": ("base", "wire", "net", "state", "dataplane"),
    "control": ("base", "wire", "net/ring.h", "state", "control"),
    "client": ("base", "wire", "client", "mcplane"),
    "loadgen": ("base", "wire", "net", "net/dpdk", "client", "loadgen", "mcplane"),
    "app": ("base", "wire", "net", "net/dpdk", "state", "dataplane", "control", "client", "loadgen", "app", "mcplane"),
}
# What a room of a layer may include of that layer besides itself: other rooms, and single headers. "control" itself is
# what lies beside the rooms.
CONTROL_DATA = ("control/config", "control/cores", "control/peers", "control/workers")
PROGRAM_PARTS = ("app/command_line", "app/telemetry", "app/config")
ROOMS = {
    "control/config": (),
    "control/cores": (),
    "control/peers": ("control/cores",),
    "control/workers": ("control/config", "control/log.h"),
    "control": CONTROL_DATA,
    "control/reports": ("control",) + CONTROL_DATA,
    "control/metrics": ("control",) + CONTROL_DATA,
    "control/admin": ("control", "control/reports", "control/metrics") + CONTROL_DATA,
    "app/command_line": (),
    "app/telemetry": ("app/command_line",),
    "app/config": ("app/command_line", "app/telemetry"),
    "app/appliance": PROGRAM_PARTS,
    "app/mcplane": ("app/appliance",) + PROGRAM_PARTS,
    "app/ctl": PROGRAM_PARTS,
    "app/load": PROGRAM_PARTS,
    "app/worker": PROGRAM_PARTS,
}
LAYERS_WITH_ROOMS = ("control", "app")
GENERATED_HEADER = "mcp_generated.h"
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
DPDK_TOKEN = re.compile(r"\b(?:rte|RTE)_\w+")
STANDARD_HEADER = re.compile(r"[a-z_]+")


def layer_of(path):
    """'src/net/dpdk/port.h' -> 'net/dpdk', 'net/ring.h' -> 'net'."""
    path = path.removeprefix("src/")
    return "net/dpdk" if path.startswith("net/dpdk/") else path.split("/")[0]


def room_of(path):
    """'src/control/peers/links.h' -> 'control/peers', 'src/control/control.h' -> 'control'."""
    parts = path.removeprefix("src/").split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def room_violation(path, name):
    """Why this file of a layer with rooms may not include `name` of the same layer, or ''."""
    room = room_of(path)
    if room not in ROOMS:
        return f"src/{room} is not in the table of rooms"
    if name in ROOMS[room] or room_of(name) in ROOMS[room] + (room,):
        return ""
    return f"{room} may not include {name}"


def include_violation(path, bracket, name):
    """Why this file may not include `name`, or ''."""
    if path.startswith("include/"):
        if name.startswith("mcplane/") or (bracket == "<" and STANDARD_HEADER.fullmatch(name)):
            return ""
        return f"public headers include the standard library and mcplane/ only, not {name}"
    if name.startswith("rte_") and not path.startswith("src/net/dpdk/"):
        return f"{name}: DPDK is named in src/net/dpdk only"
    if name.endswith(GENERATED_HEADER) and not path.startswith("src/wire/"):
        return f"{name}: generated code is included in src/wire only"
    if not path.startswith("src/") or bracket == "<" or name == GENERATED_HEADER:
        return ""
    if "/" not in name:
        return f'"{name}": write the path from src/'
    layer = layer_of(path)
    if layer not in ALLOWED:
        return f"src/{layer} is not in the layer table"
    if name not in ALLOWED[layer] and layer_of(name) not in ALLOWED[layer]:
        return f"{layer} may not include {name}"
    return room_violation(path, name) if layer in LAYERS_WITH_ROOMS and layer_of(name) == layer else ""


def violations_in(path, text):
    found = []
    lines = zip(without_comments(text).splitlines(), without_literals(text).splitlines())
    for number, (line, tokens) in enumerate(lines, 1):
        include = INCLUDE.match(line)
        reason = include_violation(path, *include.groups()) if include else ""
        token = DPDK_TOKEN.search(tokens)
        if not reason and token and not path.startswith("src/net/dpdk/"):
            reason = f"{token.group()}: DPDK is named in src/net/dpdk only"
        if reason:
            found.append(f"{path}:{number}: {reason}")
    return found


class Layers(TreeTest):
    def test_tree_keeps_the_layer_table(self):
        files = read_tree(ROOT, CODE_SUFFIXES)
        self.assertGreater(len(files), 40, f"hardly any C++ under {ROOT}")
        self.assert_clean([v for path, text in files.items() for v in violations_in(path, text)])

    def test_planted_violations_are_seen(self):
        for path, line in (
            ("src/base/x.h", '#include "wire/header.h"'),
            ("src/wire/x.cc", '#include "net/packet.h"'),
            ("src/state/x.h", '#include "net/packet.h"'),
            ("src/control/x.cc", '#include "dataplane/core_loop.h"'),
            ("src/control/x.cc", '#include "net/nic.h"'),
            ("src/dataplane/x.cc", '#include "net/dpdk/port.h"'),
            ("src/dataplane/x.cc", '#include "control/registry.h"'),
            ("src/net/x.cc", '#include "net/dpdk/eal.h"'),
            ("src/control/peers/x.h", '#include "control/workers/pools.h"'),
            ("src/control/workers/x.cc", '#include "control/control.h"'),
            ("src/control/x.cc", '#include "control/reports/report.h"'),
            ("src/control/metrics/x.cc", '#include "control/admin/answer.h"'),
            ("src/control/novel/x.cc", '#include "control/control.h"'),
            ("src/app/command_line/x.h", '#include "app/config/config.h"'),
            ("src/app/ctl/top/x.cc", '#include "app/worker/flags.h"'),
            ("src/app/x.cc", '#include "app/command_line/cli.h"'),
            ("src/client/x.cc", '  #  include "net/ring.h"'),
            ("src/novel/x.cc", '#include "base/types.h"'),
            ("src/wire/x.cc", '#include "header.h"'),
            ("src/dataplane/x.cc", '#include "mcp_generated.h"'),
            ("tests/unit/wire/x.cc", '#include "mcp_generated.h"'),
            ("include/mcplane/x.h", '#include "wire/header.h"'),
            ("include/mcplane/x.h", "#include <fmt/core.h>"),
            ("src/net/ring.h", "struct rte_ring* ring_;"),
            ("src/app/main.cc", "#include <rte_eal.h>"),
            ("tests/unit/net/x.cc", "auto flags = RTE_BIT32(1);"),
        ):
            with self.subTest(path=path, line=line):
                self.assertEqual(len(violations_in(path, line)), 1)

    def test_lawful_lines_pass(self):
        for path, line in (
            ("src/state/messages.h", '#include "net/ring.h"'),
            ("src/control/x.cc", '#include "net/ring.h"  // rings only'),
            ("src/loadgen/x.cc", '#include "net/dpdk/port.h"'),
            ("src/control/x.cc", '#include "control/peers/links.h"'),
            ("src/control/workers/x.h", '#include "control/log.h"'),
            ("src/control/admin/x.cc", '#include "control/control.h"'),
            ("src/app/ctl/top/x.cc", '#include "app/ctl/admin.h"'),
            ("src/app/mcplane/x.cc", '#include "control/admin/admin.h"'),
            ("src/wire/header.cc", '#include "mcp_generated.h"'),
            ("src/client/x.cc", '#include "mcplane/client.h"'),
            ("include/mcplane/x.h", "#include <string_view>"),
            ("src/net/ring.h", "// Rings are rte_ring's element API."),
            ("src/net/ring.h", "std::uint32_t capacity = 1'024;  /* as\nrte_ring */ int x;"),
            ("src/net/ring.h", 'static_assert(sizeof(T) % 4 == 0, "rte_ring copies words");'),
            ("src/net/dpdk/port.cc", "rte_eth_dev_start(port);"),
        ):
            with self.subTest(path=path, line=line):
                self.assertEqual(violations_in(path, line), [])


if __name__ == "__main__":
    unittest.main()
