"""Ours and the peers that are there in turn, on the same facts; prints medians, how far ahead ours is, and how far the
rounds lie apart."""
import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
WHATS = ("single", "grouped", "replay")


def told(command):
    """What a program says at the end: some say other things before."""
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(said.splitlines()[-1])


def programs(args):
    sizes = args.sizes.split(",")
    yield "ours", [args.bench, "--alone", "peer", "--ledger", args.flat, "--peer-sizes", args.sizes]
    if args.rust:
        yield "cqrs-es, sqlite-es", [args.rust, "cqrs-es", args.flat, *sizes]
        yield "UmaDB's core, in the process", [args.rust, "umadb", args.flat, *sizes]
    if importlib.util.find_spec("umadb"):
        yield "UmaDB's server, loopback", [sys.executable, f"{HERE}/umadb_peer.py", args.flat, *sizes]
    if args.emmett:
        yield "Emmett, SQLite", ["node", f"{HERE}/emmett_peer.mjs", args.emmett, args.flat, *sizes]
    if importlib.util.find_spec("eventsourcing"):
        yield "eventsourcing, SQLite", [sys.executable, f"{HERE}/eventsourcing_peer.py", args.flat, *sizes]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", required=True, help="the bench, a release build")
    parser.add_argument("--flat", required=True, help="a flat file as the bench leaves it, of 100,000 facts")
    parser.add_argument("--rust", help="ledger-peers, a release build of rust/")
    parser.add_argument("--emmett", help="the folder that Emmett's packages are installed in")
    parser.add_argument("--sizes", default="200,20480,64", help="facts appended alone, facts in groups, facts of a group")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rounds = {name: [] for name, _ in programs(args)}
    loads = []
    for turn in range(args.rounds):
        order = list(programs(args))
        first = turn % len(order)  # What one leaves behind on the disk is not always before the same other.
        for name, command in order[first:] + order[:first]:
            rounds[name].append(told(command))
            loads.append(os.getloadavg()[0])

    def cell(name, what):
        rates = [run[what] for run in rounds[name]]
        median = statistics.median(rates)
        ahead = statistics.median(run[what] for run in rounds["ours"]) / median
        between = f"{min(rates):,.0f} to {max(rates):,.0f}"
        return f"{median:,.0f}; {between}" + ("" if name == "ours" else f" (ours {ahead:.2g} ×)")

    print("| median; rounds | single append, facts/s | groups of 64, facts/s | replay, facts/CPU-s |\n|---|---|---|---|")
    for name in rounds:
        print(f"| {name} | {' | '.join(cell(name, what) for what in WHATS)} |")
    print(f"\n{args.rounds} rounds, load {min(loads):.1f} to {max(loads):.1f}")


main()
