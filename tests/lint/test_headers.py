#!/usr/bin/env python3
"""Compiles every header alone, twice over: it names what it needs, and its guard works.

Usage: test_headers.py SOURCE_ROOT COMPILER ARGUMENT...
"""

import concurrent.futures
import os
import subprocess
import sys
import unittest

from source_tree import TreeTest, read_tree, root_argument

ROOT = root_argument()
COMPILER, sys.argv[1:] = sys.argv[1:], []
JOBS = 2


def first_error(code):
    """The compiler's first complaint about this text, or ''."""
    done = subprocess.run(COMPILER + ["-x", "c++", "-fsyntax-only", "-"], input=code, text=True, capture_output=True,
                          check=False)
    if done.returncode == 0:
        return ""
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    return errors[0] if errors else done.stderr.strip() or f"compiler exit {done.returncode}"


def include_name(path):
    return os.path.relpath(path, path.split("/")[0])


class Headers(TreeTest):
    def test_each_header_compiles_alone(self):
        paths = [path for path in read_tree(ROOT, (".h",)) if path.startswith(("src/", "include/"))]
        self.assertGreater(len(paths), 20, f"hardly any headers under {ROOT}")
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            errors = pool.map(lambda path: first_error(f'#include "{include_name(path)}"\n' * 2), paths)
            self.assert_clean([f"{path}: {error}" for path, error in zip(paths, errors) if error])

    def test_a_header_that_leans_on_another_is_seen(self):
        self.assertIn("error", first_error("inline std::string name() { return {}; }\n"))
        self.assertEqual(first_error("#include <string>\ninline std::string name() { return {}; }\n"), "")


if __name__ == "__main__":
    unittest.main()
