"""UmaDB as it is shipped, on the loopback: the same facts, a commit for each or for each group, then all read back.

Its server is another process, started and stopped here; the processor time of a replay is of both.
"""
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

import umadb

import facts

FLAT, SINGLE, GROUPED, GROUP = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
SERVER = os.path.join(os.path.dirname(sys.executable), "umadb")


def free_port():
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


@contextlib.contextmanager
def server(path):
    """Its process and a client that has heard from it."""
    address = f"127.0.0.1:{free_port()}"
    command = [SERVER, "--listen", address, "--db-path", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = ""
            while "is listening" not in said:
                said = process.stdout.readline()
                assert said, "the server ended"
            with umadb.Client(f"http://{address}") as client:
                client.head()
                yield process, client
        finally:
            process.terminate()
            process.communicate()


def cpu_seconds(process):
    """Of all threads of the server and of this process."""
    with open(f"/proc/{process.pid}/stat") as file:
        user, system = file.read().rpartition(")")[2].split()[11:13]
    return time.process_time() + (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main():
    read = facts.read(FLAT, max(SINGLE, GROUPED))
    events = [umadb.Event("fact", payload, [stream]) for stream, _, payload in read]
    with tempfile.TemporaryDirectory(dir=".") as folder:
        with server(f"{folder}/single.db") as (_, client):
            begun = time.perf_counter()
            for event in events[:SINGLE]:
                client.append([event])
            single = SINGLE / (time.perf_counter() - begun)

        with server(f"{folder}/grouped.db") as (process, client):
            begun = time.perf_counter()
            for at in range(0, GROUPED, GROUP):
                client.append(events[at : at + GROUP])
            grouped = GROUPED / (time.perf_counter() - begun)

            since, found, size = cpu_seconds(process), 0, 0
            for recorded in client.read():
                found += 1
                size += len(recorded.event.data)
            replay = found / (cpu_seconds(process) - since)
        assert (found, size) == (GROUPED, sum(len(payload) for _, _, payload in read[:GROUPED]))
        print(json.dumps({"single": single, "grouped": grouped, "replay": replay}))


main()
