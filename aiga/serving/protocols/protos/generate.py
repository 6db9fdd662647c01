"""Writes the Python of the .proto files beside them; needs grpcio-tools with protobuf 6.33.

From the root of the repository: python aiga/serving/protocols/protos/generate.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path("aiga/serving/protocols/protos")
HEAD = "# ruff: noqa\n# fmt: off\n# mypy: ignore-errors\n"


def main() -> None:
    sources = [str(source) for source in sorted(FOLDER.glob("*.proto"))]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--python_out=.", "--pyi_out=.", *sources]
    subprocess.run(command, check=True)
    for written in (*FOLDER.glob("*_pb2.py"), *FOLDER.glob("*_pb2.pyi")):
        written.write_text(HEAD + written.read_text())


if __name__ == "__main__":
    main()
