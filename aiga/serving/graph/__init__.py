"""Inference graphs: what `serve.graph` says, done with each request as Seldon's executor does it."""
