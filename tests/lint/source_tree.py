"""What the lint tests share: the files of the tree, and C++ text without comments or literals."""

import os
import re
import sys
import unittest

CODE_SUFFIXES = (".cc", ".h")
TEXT_SUFFIXES = CODE_SUFFIXES + (".py", ".sh", ".md", ".fbs", ".json", ".build", ".toml", ".txt",
                                 ".html", ".css", ".js")
SKIPPED_DIRECTORIES = {".git", "__pycache__", "corpus"}
TOP_LEVEL = ("include", "src", "schemas", "scripts", "perf", "tests", ".ci")

TOKEN = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)'
    r'|(?P<raw>R"(?P<fence>[^(\s]*)\(.*?\)(?P=fence)")'
    r'|(?P<string>"(?:\\.|[^"\\\n])*")'
    r"|(?P<char>(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+')",
    re.DOTALL,
)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    """The same text with comments blanked; line numbers stay."""
    return TOKEN.sub(lambda m: _blank(m.group()) if m.group("comment") else m.group(), text)


def without_literals(text):
    """The same text with comments, strings and characters blanked."""
    return TOKEN.sub(lambda m: _blank(m.group()), text)


def string_literals(text):
    """(line number, literal) of every string outside comments and #include lines."""
    found = []
    for match in TOKEN.finditer(text):
        if match.group("string") or match.group("raw"):
            line_start = text.rfind("\n", 0, match.start()) + 1
            if not text[line_start:match.start()].lstrip().startswith("#include"):
                found.append((text.count("\n", 0, match.start()) + 1, match.group()))
    return found


def read_tree(root, suffixes):
    """{path from the root: text}; files without a suffix count as scripts."""
    files = {}
    for top in TOP_LEVEL:
        for folder, subfolders, names in os.walk(os.path.join(root, top)):
            subfolders[:] = sorted(d for d in subfolders if d not in SKIPPED_DIRECTORIES)
            for name in sorted(names):
                script = "." not in name and suffixes is TEXT_SUFFIXES
                if script or name.endswith(suffixes):
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8") as file:
                        files[os.path.relpath(path, root)] = file.read()
    return files


def root_argument():
    """Takes the source root off the command line, so that unittest does not see it."""
    return os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else os.getcwd()


class TreeTest(unittest.TestCase):
    def assert_clean(self, violations):
        self.assertFalse(violations, "\n" + "\n".join(violations))
