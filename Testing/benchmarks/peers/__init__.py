"""What a radiology researcher would pick instead, measured beside the shipped models: ``python -m benchmarks.peers``.

One file for each family of methods; each offers ``METHODS``, from a name to a :class:`~benchmarks.peers.method.Method`.
"""
