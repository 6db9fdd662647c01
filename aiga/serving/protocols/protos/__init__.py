"""Messages of the three protocols on gRPC: our own .proto files, wire-compatible, and the Python made of them."""
