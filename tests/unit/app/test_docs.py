#!/usr/bin/env python3
"""Man pages and completions of the programs: nothing that a program's help says is missing, the pages are sound roff,
and bash completes commands, flags and values.

Usage: test_docs.py BINARIES DOCUMENT..."""

import os
import re
import shutil
import subprocess
import sys

PROGRAMS = ("mcplane", "mcplane-ctl", "mcplane-load", "mcplane-worker")


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=True, **more).stdout


def help_of(binaries, program, path=()):
    """(commands, flags) that the help of one command names."""
    text = run(os.path.join(binaries, program), *path, "--help")
    commands, at_commands = [], False
    for line in text.splitlines():
        at_commands = line.strip().lower() in ("commands:", "subcommands:") or (at_commands and line.startswith("  "))
        if at_commands and (found := re.match(r"  ([a-z][a-z-]*)\s", line)):
            commands.append(found[1])
    return commands, set(re.findall(r"^  (?:-\w,)?(--[a-z][a-z0-9-]*)", text, re.MULTILINE))


def every_command(binaries, program, path=()):
    commands, flags = help_of(binaries, program, path)
    yield path, flags
    for command in commands:
        yield from every_command(binaries, program, path + (command,))


def plain(page):
    return page.replace("\\-", "-")


def check_man_page(binaries, program, page):
    with open(page, encoding="utf-8") as file:
        text = plain(file.read())
    for path, flags in every_command(binaries, program):
        if path:
            assert f".SS {' '.join(path)}\n" in text, f"{page}: no {path}"
        part = text.split(f".SS {' '.join(path)}\n")[1].split(".SS ")[0] if path else text
        for flag in flags:
            assert f"\\fB{flag}\\fR" in part, f"{page}: {path} has no {flag}"
    warnings = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, check=True,
                              env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "100"}).stderr
    assert not warnings, warnings
    if shutil.which("mandoc"):
        # Pages of a build have no date; of style it minds only that lines are long.
        lint = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, text=True, check=False)
        lines = [line for line in (lint.stdout + lint.stderr).splitlines() if "missing date" not in line]
        assert not lines, "\n".join(lines)


def complete(binaries, script, words):
    """What bash offers for the last of the words."""
    program = words[0]
    typed = " ".join(f"'{word}'" for word in [os.path.join(binaries, program), *words[1:]])
    code = (f"source '{script}'; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; "
            f"_{program.replace('-', '_')}; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    return run("bash", "--norc", "-c", code).split()


def check_completion(binaries, program, script):
    for path, flags in every_command(binaries, program):
        offered = complete(binaries, script, [program, *path, "--"])
        assert flags - {"--version"} <= set(offered), (program, path, flags - set(offered))
    assert f"complete -F _{program.replace('-', '_')} {program}\n" in open(script, encoding="utf-8").read()


def check_values(binaries, scripts):
    ctl, appliance = scripts["mcplane-ctl"], scripts["mcplane"]
    commands, _ = help_of(binaries, "mcplane-ctl")
    assert set(commands) <= set(complete(binaries, ctl, ["mcplane-ctl", ""]))
    assert complete(binaries, ctl, ["mcplane-ctl", "expl"]) == ["explain"]
    assert complete(binaries, ctl, ["mcplane-ctl", "breaker", "force-o"]) == ["force-open"]
    assert complete(binaries, ctl, ["mcplane-ctl", "tasks", "--state", "qu"]) == ["queued"]
    assert complete(binaries, ctl, ["mcplane-ctl", "degrade", "generate", "o"]) == ["on", "off"]
    assert complete(binaries, ctl, ["mcplane-ctl", "tasks", "--limit", ""]) == []
    assert complete(binaries, appliance, ["mcplane", "--idle", "p"]) == ["poll", "pause"]
    here = os.path.dirname(os.path.abspath(__file__))
    assert complete(binaries, ctl, ["mcplane-ctl", "config", "check", f"{here}/test_do"]) == [f"{here}/test_docs.py"]


def main():
    binaries, *documents = sys.argv[1:]
    pages = {os.path.basename(path).rsplit(".", 1)[0]: path for path in documents if path[-2:] in (".1", ".8")}
    scripts = {os.path.basename(path): path for path in documents if path[-2:] not in (".1", ".8")}
    for program in PROGRAMS:
        check_man_page(binaries, program, pages[program])
        check_completion(binaries, program, scripts[program])
    check_values(binaries, scripts)


main()
