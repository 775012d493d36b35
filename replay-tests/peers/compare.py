"""Ours and the peers in turn, on the same facts; prints medians and how far ahead ours is."""
import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SINGLE, GROUPED, GROUP = 200, 20_480, 64


def told(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", required=True)
    parser.add_argument("--flat", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    sizes = [str(SINGLE), str(GROUPED), str(GROUP)]
    programs = {
        "ours": [args.bench, "--alone", "peer", "--ledger", args.flat, "--peer-sizes", ",".join(sizes)],
        "eventsourcing (PyPI)": [sys.executable, f"{HERE}/eventsourcing_peer.py", args.flat, *sizes],
    }
    rounds = {name: [] for name in programs}
    for _ in range(args.rounds):
        for name, command in programs.items():
            rounds[name].append(told(command))

    def median(name, what):
        return statistics.median(run[what] for run in rounds[name])

    print("| | single append, facts/s | groups of 64, facts/s | replay, facts/CPU-s |\n|---|---|---|---|")
    for name in programs:
        cells = []
        for what in ("single", "grouped", "replay"):
            ahead = median("ours", what) / median(name, what)
            cells.append(f"{median(name, what):,.0f}" + ("" if name == "ours" else f" (ours {ahead:.1f} ×)"))
        print(f"| {name} | {' | '.join(cells)} |")


main()
