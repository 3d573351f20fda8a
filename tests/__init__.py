"""The promises of Zerogate: a test's docstring is one. Folders have the packages' names; `contract/` runs on
both Kubernetes APIs, `e2e/` starts `zerogate up`, `cluster/` needs a real control plane, `node/` real
containers.
"""
