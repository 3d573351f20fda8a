"""One interface for both Kubernetes APIs: `engine` (requests and kubectl), `engines` (how each is started),
`objects` (examples), `table/` (kubectl's verbs by kind).
"""
