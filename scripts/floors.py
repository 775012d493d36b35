#!/usr/bin/env python3
"""Enforces the floors of docs/ARCHITECTURE.md over both workspaces, in seconds and without a build.

Arrows point down only; `host` alone links adapters; the pure floors hold no I/O, no clock and no task; deny.toml's
bans and licences hold for every package of both locks; a source file beyond 400 lines is named, one beyond 600 a breach.
Prints each breach on a line of its own and exits with 1 if there is any.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKSPACES = [ROOT, ROOT / "adapters/lightning/walletd"]
FLOORS = {"proto": 0, "events": 1, "projections": 2, "core": 3, "adapters": 4, "host": 5, "cli": 6, "app-iced": 6, "mcp": 6}
PURE = ("events", "projections", "core")
# What a pure floor never rests on, directly or through others (the generated contracts apart: their `rpc` feature is
# for the floors above).
PURE_BANNED = {"tokio", "sqlx", "nostr-sdk", "ldk-node", "llama-cpp-2", "tonic", "reqwest", "rusqlite", "mio"}
PURE_WORDS = re.compile(
    r"SystemTime::now|Instant::now|\bstd::(fs|net|process|thread)\b|\btokio::|\bthread::spawn|\brand::|\bFile::open"
)
# The window reads views and writes commands: no way leads around control.
AROUND_CONTROL = re.compile(r"\b(ledger|outside|audit|books|statement|forget|treasury|serving|session)::|\b(UnixStream|TcpStream|reqwest)\b")
MONEY_FLOAT = re.compile(r"_(msat|sat|sats)\s*:\s*f(32|64)\b")
LINES_USUAL = 400
LINES_MAX = 600

breaches: list[str] = []


def metadata(workspace: Path) -> dict:
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"]
    answer = subprocess.run(command, cwd=workspace, capture_output=True, text=True)
    if answer.returncode:
        sys.exit(f"cargo metadata in {workspace} failed:\n{answer.stderr[-2000:]}")
    return json.loads(answer.stdout)


def room_of(manifest: str) -> Path | None:
    folder = Path(manifest).parent
    return folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else None


def same_house(one: Path, other: Path) -> bool:
    """A worker or daemon lies inside the room that it belongs to."""
    return one.is_relative_to(other) or other.is_relative_to(one)


def arrow(package: str, own: Path, dependency: dict, target: Path) -> None:
    if dependency["kind"] == "dev" or own.parts[0] == "replay-tests":
        return  # Tests may look at whatever they test.
    here, there = FLOORS.get(own.parts[0]), FLOORS.get(target.parts[0])
    words = f"{package} ({own}) depends on {dependency['name']} ({target})"
    if here is None or there is None:
        breaches.append(f"{words}: not a room that product code may rest on")
    elif there > here or (there == here and not same_house(own, target)):
        breaches.append(f"{words}: arrows point down only")
    elif there == FLOORS["adapters"] and here > there and own.parts[0] != "host":
        breaches.append(f"{words}: host alone links adapters")


def licence_allowed(expression: str, allowed: set[str]) -> bool:
    """Is an SPDX expression satisfied by the allowed licences? The old `A/B` means `A OR B`."""
    tokens = re.findall(r"\(|\)|[^\s()]+(?:\s+WITH\s+[^\s()]+)?", expression.replace("/", " OR "))

    def either() -> bool:
        value = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            value = both() or value
        return value

    def both() -> bool:
        value = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            value = one() and value
        return value

    def one() -> bool:
        token = tokens.pop(0)
        if token == "(":
            value = either()
            tokens.pop(0)
            return value
        return token in allowed

    return either()


def check_workspace(graph: dict, rules: dict) -> None:
    packages = {package["id"]: package for package in graph["packages"]}
    names = {identity: package["name"] for identity, package in packages.items()}
    own = {p["name"]: room_of(p["manifest_path"]) for p in packages.values() if room_of(p["manifest_path"])}
    for package in packages.values():
        name, room = package["name"], own.get(package["name"])
        if room is not None:
            for dependency in package["dependencies"]:
                if dependency["name"] in own:
                    arrow(name, room, dependency, own[dependency["name"]])
        elif not licence_allowed(package["license"] or "none", set(rules["licenses"]["allow"])):
            breaches.append(f"{name} {package['version']}: licence {package['license']} is not allowed by deny.toml")
    bans = {ban["crate"]: ban for ban in rules["bans"]["deny"]}
    children = {}
    for node in graph["resolve"]["nodes"]:
        parent = names[node["id"]]
        children[node["id"]] = [d["pkg"] for d in node["deps"] if any(k["kind"] is None for k in d["dep_kinds"])]
        tests = {d["pkg"] for d in node["deps"] if all(k["kind"] == "dev" for k in d["dep_kinds"])}
        for child in (d["pkg"] for d in node["deps"]):
            ban = bans.get(names[child])
            if ban and parent not in ban.get("wrappers", []) and child not in tests:
                breaches.append(f"{parent} depends on {names[child]}: {ban['reason']}")
    for identity, name in names.items():
        room = own.get(name)
        if room is not None and room.parts[0] in PURE:
            check_pure(identity, names, children)


def check_pure(start: str, names: dict, children: dict) -> None:
    seen, todo = {start}, [(start, names[start])]
    while todo:
        identity, way = todo.pop()
        for child in children[identity]:
            if child in seen or names[child] == "autopilot-proto":
                continue
            seen.add(child)
            trail = f"{way} → {names[child]}"
            if names[child] in PURE_BANNED:
                breaches.append(f"{trail}: a pure floor rests on {names[child]}")
            todo.append((child, trail))


def check_sources() -> None:
    for path in sorted(ROOT.rglob("*.rs")):
        place = path.relative_to(ROOT)
        if place.parts[0] in ("target", ".git"):
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) > LINES_MAX:
            breaches.append(f"{place}: {len(lines)} lines, and {LINES_MAX} are the limit")
        elif len(lines) > LINES_USUAL:
            print(f"note: {place} has {len(lines)} lines")
        window = place.parts[:2] == ("app-iced", "src")
        product = place.parts[0] in PURE and "tests" not in place.parts and "benches" not in place.parts
        for number, line in enumerate(lines, 1):
            code = line.split("//")[0]
            if "#[cfg(test)]" in code and number + 1 < len(lines) and "mod tests {" in lines[number]:
                product = False  # The test module ends the file.
            if product and (found := PURE_WORDS.search(code)):
                breaches.append(f"{place}:{number}: `{found.group()}` on a pure floor")
            if window and (found := AROUND_CONTROL.search(code)):
                breaches.append(f"{place}:{number}: `{found.group()}`: the window goes by control")
            if found := MONEY_FLOAT.search(code):
                breaches.append(f"{place}:{number}: `{found.group()}`: money is an integer")


def main() -> int:
    rules = tomllib.loads((ROOT / "deny.toml").read_text(encoding="utf-8"))
    for workspace in WORKSPACES:
        check_workspace(metadata(workspace), rules)
    check_sources()
    for breach in dict.fromkeys(breaches):
        print(breach)
    print(f"floors: {len(set(breaches))} breaches" if breaches else "floors: every arrow points down")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
