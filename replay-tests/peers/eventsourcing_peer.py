"""PyPI eventsourcing on SQLite: the same facts, a commit for each or for each group, then all of them read back."""
import json
import sys
import tempfile
import time
import uuid

from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

import facts

FLAT, SINGLE, GROUPED, GROUP = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])


def stored(fact):
    stream, version, payload = fact
    return StoredEvent(uuid.uuid5(uuid.NAMESPACE_URL, stream), version, "fact", payload)


def recorder(folder, name):
    datastore = SQLiteDatastore(f"{folder}/{name}.db")
    with datastore.transaction(commit=False) as cursor:
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchone()[0] == "wal"
        cursor.execute("PRAGMA synchronous")
        assert cursor.fetchone()[0] == 2, "every commit is synced"
    made = SQLiteApplicationRecorder(datastore)
    made.create_table()
    return made


def main():
    all_facts = [stored(fact) for fact in facts.read(FLAT, max(SINGLE, GROUPED))]
    with tempfile.TemporaryDirectory(dir=".") as folder:
        one = recorder(folder, "single")
        begun = time.perf_counter()
        for event in all_facts[:SINGLE]:
            one.insert_events([event])
        single = SINGLE / (time.perf_counter() - begun)

        many = recorder(folder, "grouped")
        begun = time.perf_counter()
        for at in range(0, GROUPED, GROUP):
            many.insert_events(all_facts[at : at + GROUP])
        grouped = GROUPED / (time.perf_counter() - begun)

        begun, cpu, read, start = time.perf_counter(), time.process_time(), 0, 1
        while True:
            page = many.select_notifications(start, 1_000)
            if not page:
                break
            read += len(page)
            start = page[-1].id + 1
        assert read == GROUPED, read
        print(json.dumps({"single": single, "grouped": grouped, "replay": read / (time.process_time() - cpu)}))


main()
