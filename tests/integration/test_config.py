#!/usr/bin/env python3
"""The configuration file of a running appliance: refused, applied, read again, gone back to, while tasks flow."""

import json
import os
import signal

from bench import BROKER4, BROKER6, TAP, ip, PEER4, run_cases, wait_until

SOUND = f"""[appliance]
ip = "{BROKER6}/64"
[breaker]
window = 50
"""


def write(bench, text, name="mcplane.toml"):
    path = os.path.join(bench.folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def start(bench, text=SOUND):
    """An appliance with a configuration file and one worker; (process, path of the file)."""
    path = write(bench, text)
    appliance = bench.start_on(f"tap:{TAP}", "--config", path)
    ip("link", "set", TAP, "up")
    ip("address", "add", PEER4, "dev", TAP)
    bench.start_worker("echo")
    return appliance, path


def ctl(bench, *arguments):
    return bench.run("mcplane-ctl", "config", *arguments, "--admin", bench.admin)


def shown(bench):
    return json.loads(bench.ask("/v1/config"))


def value(bench, key):
    return next(entry for entry in shown(bench)["values"] if entry["key"] == key)


def window(bench):
    return value(bench, "breaker.window")["value"]


def answered(bench):
    code, outcome = bench.send("--action", "generate", "--prompt", "hi")
    assert code == 0, outcome


def bad_file_does_not_start(bench):
    path = write(bench, "[breaker]\nwindow = 5\n[client]\nrat = 1\n")
    done = bench.run("mcplane", "--port", f"tap:{TAP}", "--ip", f"{BROKER4}/24", "--config", path)
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (4, "", 2), done
    assert lines[0].startswith(f"{path}:2:10: breaker.window: ") and "type 10 to 100" in lines[0], lines
    assert lines[1].startswith(f"{path}:4:1: client.rat: ") and "client.rate" in lines[1], lines
    assert bench.run("mcplane", "--config", path, "--check").returncode == 4
    assert bench.run("mcplane", "--config", write(bench, SOUND), "--check").returncode == 0


def file_is_applied_and_read_again(bench):
    appliance, path = start(bench)
    assert value(bench, "breaker.window") == {"key": "breaker.window", "value": "50", "origin": f"{path}:4",
                                              "restart": False}
    assert value(bench, "appliance.port")["origin"] == "flag"
    node = bench.node("echo")["node_id"]

    bad = write(bench, "[breaker]\nwindow = 5\n", "bad.toml")
    done = ctl(bench, "apply", bad)
    assert (done.returncode, done.stdout) == (4, ""), done
    assert done.stderr.startswith(f"{bad}:2:10: breaker.window: "), done
    assert (window(bench), shown(bench)["generation"]) == ("50", 1)

    other = write(bench, SOUND.replace("50", "60"), "other.toml")
    assert ctl(bench, "diff", other).stdout == "breaker.window: 50 -> 60\n"
    assert ctl(bench, "apply", other).returncode == 0
    wait_until("apply", 2, lambda: window(bench) == "60")
    answered(bench)

    write(bench, SOUND.replace("50", "70").replace("[breaker]", "mtu = 1400\n[breaker]"))
    appliance.send_signal(signal.SIGHUP)
    wait_until("reload", 2, lambda: window(bench) == "70")
    assert [change["key"] for change in shown(bench)["pending"]] == ["appliance.mtu"], shown(bench)
    assert value(bench, "appliance.mtu")["value"] == "1500"

    write(bench, "[breaker]\nwindow = 5\n")
    appliance.send_signal(signal.SIGHUP)
    wait_until("refusal", 2, lambda: "nothing is changed" in bench.log_of(appliance))
    assert f"{path}:2:10: breaker.window: " in bench.log_of(appliance)
    assert window(bench) == "70"

    assert ctl(bench, "rollback").returncode == 0
    assert window(bench) == "60"
    generations = json.loads(bench.ask("/v1/config/history"))["generations"]
    assert [entry["how"] for entry in generations] == ["start", "apply", "reload", "rollback to 2"], generations
    assert generations[1]["origin"] == other and generations[1]["by"] and generations[1]["unix_s"] > 0, generations
    assert bench.node("echo")["node_id"] == node, "the worker had to register again"
    answered(bench)


def unconfirmed_change_goes_back(bench):
    start(bench)
    path = write(bench, SOUND.replace("50", "60"), "trial.toml")
    assert ctl(bench, "confirm").returncode == 1
    done = ctl(bench, "apply", path, "--confirm-within", "2s")
    assert done.returncode == 0 and "goes back by itself" in done.stdout, done
    assert window(bench) == "60"
    waited = wait_until("automatic rollback", 5, lambda: window(bench) == "50")
    assert waited > 1, f"after {waited} s"
    answered(bench)

    assert ctl(bench, "apply", path, "--confirm-within", "60s").returncode == 0
    assert ctl(bench, "confirm").returncode == 0
    assert shown(bench)["confirm_left_ms"] is None
    assert window(bench) == "60"
    done = ctl(bench, "history")
    assert "not confirmed, back to 1" in done.stdout, done


def load_flows_across_changes(bench):
    start(bench)
    files = [write(bench, SOUND.replace("50", number), f"{number}.toml") for number in ("60", "70")]
    load = bench.start_load("--clients", "4", "--window", "8")
    wait_until("load", 10, lambda: bench.info()["tasks"]["delivered"] > 500)
    for turn in range(10):
        before = bench.info()["tasks"]["delivered"]
        assert ctl(bench, "apply", files[turn % 2]).returncode == 0
        wait_until("tasks", 5, lambda: bench.info()["tasks"]["delivered"] > before + 100)
    result = bench.end_load(load)
    assert (result["lost"], sum(result["errors"].values())) == (0, 0), result
    assert shown(bench)["generation"] == 11


run_cases(bad_file_does_not_start, file_is_applied_and_read_again, unconfirmed_change_goes_back,
          load_flows_across_changes)
