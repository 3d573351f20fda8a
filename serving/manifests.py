"""How manifests that are made from code are written."""

import yaml


class Plain(yaml.SafeDumper):
    """Without anchors, which people do not read; texts of several lines as they are."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


Plain.add_representer(str, _text)
