"""Between the wire and `aiga.serving.messages`: three protocols, each on REST and on gRPC. Pure: bytes in, bytes out.

    protocol      REST              gRPC
    v2            v2                grpc_v2
    tensorflow    tensorflow        grpc_tensorflow
    seldon        seldon            grpc_seldon

Each module has `read_request`, `write_response`, `write_request`, `read_response`. Reading a request gives the message
and the form that the client chose (which outputs it wants in binary, rows or columns, kind of payload); writing the
response takes that form. A request that is wrong raises `BadRequest`, with the place in the body and the rule; a
response that a server wrote wrong raises `ServingError` 502. Arrays may share the body's memory, and be read-only then.
"""
