"""What runs inside a model server's own environment.

Nothing is imported here but the standard library, NumPy, MLServer with what it brings, ONNX Runtime, and modules of
aiga that need no more than that.
"""
