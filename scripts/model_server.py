#!/usr/bin/env python3
"""Runs llama.cpp's OpenAI-compatible server on a free port of the loopback until standard input closes, for the tests.

  PYTHONPATH="$(scripts/model-server.sh)" python3 scripts/model_server.py MODEL [--port P] [--parallel N] [--key-file F]

Prints {"url": "http://127.0.0.1:PORT/v1"} once it listens.
"""

import argparse
import json
import os
import socket
import sys
import threading

import xllamacpp


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--context", type=int, default=2048, help="tokens for each request")
    parser.add_argument("--key-file")
    arguments = parser.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = arguments.model
    params.model_alias = {"fixture"}
    params.n_ctx = arguments.context * arguments.parallel
    params.n_parallel = arguments.parallel
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.hostname = "127.0.0.1"
    params.port = arguments.port or free_port()
    params.ui = False
    if arguments.key_file:
        with open(arguments.key_file, encoding="utf-8") as file:
            params.api_keys = [file.read().strip()]
    # The caller's end of our standard input closes with it, however it ends.
    threading.Thread(target=leave_with_the_caller, daemon=True).start()
    server = xllamacpp.Server(params)
    print(json.dumps({"url": server.listening_address + "/v1"}), flush=True)
    threading.Event().wait()


def leave_with_the_caller() -> None:
    while os.read(0, 256):
        pass
    os._exit(0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
