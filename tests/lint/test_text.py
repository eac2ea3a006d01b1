#!/usr/bin/env python3
"""Holds what STYLE asks of every file's text: its size, its opening comment, its words, its preprocessor.

Usage: test_text.py SOURCE_ROOT
"""

import re
import unittest

from source_tree import (CODE_SUFFIXES, TEXT_SUFFIXES, TreeTest, read_tree, root_argument, string_literals,
                         without_comments)

ROOT = root_argument()

MAIN_LINES_MAX = 80
FILE_LINES_WARN = 300
FILE_LINES_MAX = 500
HEADER_LINES_MAX = 12

# Spelled in pieces, or this file would refuse itself.
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|st" + r"ubs?)\b|not imple" + "mented")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:wo" + r"rk|fa" + r"rm)/")
# Names and attributes of ours begin mcplane_ and mcplane.; the field and file names are the protocol's own.
FOREIGN_PREFIX = re.compile(r"(?<![\w.])mcp[_.](?!version\b|generated\b|fbs\b)[a-z]")
CONDITIONAL = re.compile(r"^\s*#\s*(?:if|ifdef|ifndef|elif)\b")
DEFINE = re.compile(r"^\s*#\s*define\s+(\w+)")
MAIN = re.compile(r"^int main\(", re.MULTILINE)


def words_violations(path, text):
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, what in ((UNFINISHED, "unfinished work"), (MACHINE_PATH, "a path of one machine")):
            match = pattern.search(line)
            if match:
                found.append(f"{path}:{number}: '{match.group()}' is {what}")
    return found


def prefix_violations(path, text):
    return [f"{path}:{number}: {literal} begins like another protocol's metric; ours begin mcplane"
            for number, literal in string_literals(text) if FOREIGN_PREFIX.search(literal)]


def preprocessor_violations(path, text):
    """Conditions belong at set-up, in base/ and net/dpdk/; the only macros are those of base/check.h."""
    found = []
    may_branch = path.startswith(("src/base/", "src/net/dpdk/"))
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        if CONDITIONAL.match(line) and not may_branch:
            found.append(f"{path}:{number}: preprocessor condition outside base/ and net/dpdk/")
        define = DEFINE.match(line)
        if define and path != "src/base/check.h":
            found.append(f"{path}:{number}: macro {define.group(1)}")
    return found


def header_violations(path, text):
    lines = text.splitlines()
    length = next((n for n, line in enumerate(lines) if not line.startswith("//")), len(lines))
    found = []
    if length == 0:
        found.append(f"{path}:1: opens without a comment on its purpose")
    elif length > HEADER_LINES_MAX:
        found.append(f"{path}:1: opening comment of {length} lines, at most {HEADER_LINES_MAX}")
    if path.endswith(".h") and "#pragma once" not in lines:
        found.append(f"{path}:1: no #pragma once")
    return found


def size_violations(path, text):
    lines = text.count("\n")
    if lines > FILE_LINES_MAX:
        return [f"{path}: {lines} lines, at most {FILE_LINES_MAX}"]
    if path.startswith("src/") and MAIN.search(text) and lines > MAIN_LINES_MAX:
        return [f"{path}: {lines} lines, a main has at most {MAIN_LINES_MAX}"]
    return []


def code_violations(path, text):
    found = size_violations(path, text) + prefix_violations(path, text)
    if path.startswith(("src/", "include/")):
        found += header_violations(path, text) + preprocessor_violations(path, text)
    return found


class Text(TreeTest):
    def test_code_keeps_its_form(self):
        files = read_tree(ROOT, CODE_SUFFIXES)
        self.assertGreater(len(files), 40, f"hardly any C++ under {ROOT}")
        for path, text in files.items():
            if text.count("\n") > FILE_LINES_WARN:
                print(f"warning: {path}: {text.count(chr(10))} lines, most files have 80 to 250")
        self.assert_clean([v for path, text in files.items() for v in code_violations(path, text)])

    def test_no_unfinished_work_nor_machine_paths(self):
        files = read_tree(ROOT, TEXT_SUFFIXES)
        self.assertIn("tests/lint/test_text.py", files)
        self.assertIn("scripts/deps", files)
        self.assert_clean([v for path, text in files.items() for v in words_violations(path, text)])

    def test_planted_words_are_seen(self):
        for line in ("// TO" + "DO: later", "x();  // FIX" + "ME", "// XX" + "X", "// a st" + "ub", "# st" + "ubs",
                     'return "not imple' + 'mented";', "see /wo" + "rk/main/x", "cd /fa" + "rm/a"):
            with self.subTest(line=line):
                self.assertEqual(len(words_violations("src/x.cc", line)), 1)
        for line in ("// a stubborn peer", "build/wo" + "rk/x", "the mastodon", "./wo" + "rk/x"):
            with self.subTest(line=line):
                self.assertEqual(words_violations("src/x.cc", line), [])

    def test_planted_metric_names_are_seen(self):
        for line in ('counter("mcp_tasks_total");', 'span.set("mcp.task.id", id);', 'auto s = R"(# TYPE mcp_x)";'):
            with self.subTest(line=line):
                self.assertEqual(len(prefix_violations("src/x.cc", line)), 1)
        for line in ('f("mcplane_tasks_total");', 'json["mcp_version"]', '#include "mcp_generated.h"',
                     '// "mcp_tasks" is another\'s'):
            with self.subTest(line=line):
                self.assertEqual(prefix_violations("src/x.cc", line), [])

    def test_planted_preprocessor_use_is_seen(self):
        self.assertEqual(len(preprocessor_violations("src/wire/x.h", "#ifdef __AVX2__\n#endif\n")), 1)
        self.assertEqual(len(preprocessor_violations("src/wire/x.h", "# define MAX 3\n")), 1)
        self.assertEqual(preprocessor_violations("src/base/x.h", "#ifdef __AVX2__\n#endif\n"), [])
        self.assertEqual(preprocessor_violations("src/wire/x.h", "// #if never\n#include <bit>\n"), [])

    def test_planted_form_is_seen(self):
        good = "// What it is for.\n#pragma once\n"
        self.assertEqual(code_violations("src/x.h", good), [])
        self.assertEqual(len(header_violations("src/x.h", "#pragma once\n")), 1)
        self.assertEqual(len(header_violations("src/x.h", "// Purpose.\n")), 1)
        self.assertEqual(len(header_violations("src/x.cc", "// line\n" * 13)), 1)
        self.assertEqual(header_violations("src/x.cc", "// line\n" * 12), [])
        main = "// Main.\nint main() {\n"
        self.assertEqual(size_violations("src/app/main.cc", main + "\n" * 78), [])
        self.assertEqual(len(size_violations("src/app/main.cc", main + "\n" * 79)), 1)
        self.assertEqual(len(size_violations("tests/x.cc", "\n" * 501)), 1)


if __name__ == "__main__":
    unittest.main()
