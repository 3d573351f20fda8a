"""What we and kubectl rely on of a Kubernetes API, held against the embedded one and against a real one.

The real one is the truth: what passes there and fails here is a defect of ours.
"""
