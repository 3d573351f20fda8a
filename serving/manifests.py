"""How manifests that are made from code are written."""

import yaml


class Plain(yaml.SafeDumper):
    """Without anchors: kubectl and kustomize read them, people do not."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True
