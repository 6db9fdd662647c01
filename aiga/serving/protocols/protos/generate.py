"""Writes the Python of the .proto files beside them; needs grpcio-tools with protobuf 6.33.

From the root of the repository: python aiga/serving/protocols/protos/generate.py
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from grpc_tools import protoc

FOLDER = Path("aiga/serving/protocols/protos")
HEAD = "# ruff: noqa\n# fmt: off\n# mypy: ignore-errors\n"


def main() -> None:
    known = resources.files("grpc_tools") / "_proto"
    sources = [str(source) for source in sorted(FOLDER.glob("*.proto"))]
    if protoc.main(["protoc", "-I.", f"-I{known}", "--python_out=.", "--pyi_out=.", *sources]):
        raise SystemExit(1)
    for written in (*FOLDER.glob("*_pb2.py"), *FOLDER.glob("*_pb2.pyi")):
        written.write_text(HEAD + written.read_text())


if __name__ == "__main__":
    main()
