"""Writes embedded/api/protobuf.json: how the messages of Kubernetes' own kinds are numbered and named.

`python tools/make_protobuf.py $(go env GOMODCACHE)/k8s.io`, where k8s.io/api and k8s.io/apimachinery were
downloaded. Its source are the tags of the Go structs, which say all that a decoder needs: number, JSON name,
whether a zero value is written. Kinds from other groups are sent as JSON by all known clients.

Format: `{"kinds": {"apps/v1/Deployment": "apps/v1.Deployment"},
"messages": {"core/v1.Volume": {"1": "name s"}}}`.
A field is `<JSON name> <type>`, the name empty when the message's fields belong to its parent. Types: `s`
string, `i` integer, `b` boolean, `y` bytes, `t` time, `u` time with microseconds, `q` quantity, `x` integer
or string, `j` raw JSON, `[T` list, `{T` map, else a message's name; with `?` zero values are left out.
"""

import json
import re
import sys
from pathlib import Path

KINDS = {
    "core/v1": "Namespace ConfigMap Secret Service ServiceAccount Pod Node Event Binding",
    "apps/v1": "Deployment ReplicaSet",
    "coordination/v1": "Lease",
    "autoscaling/v1": "Scale",
    "authorization/v1": "SelfSubjectAccessReview SelfSubjectRulesReview",
    "authentication/v1": "SelfSubjectReview",
    "meta/v1": "DeleteOptions",
}
GROUPS = {
    "core/v1": "v1",
    "meta/v1": "v1",
    "coordination/v1": "coordination.k8s.io/v1",
    "authorization/v1": "authorization.k8s.io/v1",
    "authentication/v1": "authentication.k8s.io/v1",
}
PLAIN = {
    "string": "s",
    "bool": "b",
    "int32": "i",
    "int64": "i",
    "int": "i",
    "byte": "y",
    "metav1.Time": "t",
    "Time": "t",
    "metav1.MicroTime": "u",
    "MicroTime": "u",
    "resource.Quantity": "q",
    "intstr.IntOrString": "x",
    "metav1.FieldsV1": "j",
    "FieldsV1": "j",
    "runtime.RawExtension": "j",
    "types.UID": "s",
}
PACKAGES = {"metav1": "meta/v1", "v1": "core/v1", "corev1": "core/v1", "meta": "meta/v1"}
STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
ALIAS = re.compile(r"^type (\w+) ([\w.\[\]]+)$", re.MULTILINE)
FIELD = re.compile(r'^\t(?:\w+\s+)?([\w.*\[\]]+)\s+`json:"([^"]*)"[^`]*?\bprotobuf:"\w+,(\d+),', re.MULTILINE)


class Sources:
    """The Go types of the packages, read when first needed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._texts: dict[str, str] = {}
        self.messages: dict[str, dict[str, str]] = {}

    def _text(self, package: str) -> str:
        if package not in self._texts:
            pattern = (
                "apimachinery@*/pkg/apis/meta/v1/types.go"
                if package == "meta/v1"
                else f"api@*/{package}/types.go"
            )
            self._texts[package] = max(self._root.glob(pattern)).read_text()
        return self._texts[package]

    def message(self, package: str, name: str) -> str:
        """The message's full name; it and all below it are in `messages` afterwards."""
        full = f"{package}.{name}"
        if full in self.messages:
            return full
        found = {match[1]: match[2] for match in STRUCT.finditer(self._text(package))}
        fields = self.messages[full] = {}
        for declared, tag, number in FIELD.findall(found[name]):
            json_name, *options = tag.split(",")
            code = self._code(package, declared.lstrip("*"))
            may_be_zero = declared.startswith(("*", "[", "map")) or "omitempty" not in options
            fields[number] = f"{json_name} {code}{'' if may_be_zero else '?'}"
        return full

    def _code(self, package: str, declared: str) -> str:
        if declared == "[]byte":
            return "y"
        if declared.startswith("[]"):
            return "[" + self._code(package, declared[2:].lstrip("*"))
        if declared.startswith("map["):
            return "{" + self._code(package, declared.partition("]")[2])
        if declared in PLAIN:
            return PLAIN[declared]
        prefix, dot, name = declared.rpartition(".")
        home = PACKAGES[prefix] if dot else package
        alias = dict(ALIAS.findall(self._text(home))).get(name)
        return self._code(home, alias) if alias else self.message(home, name)


def main() -> None:
    sources = Sources(Path(sys.argv[1]))
    kinds = {}
    for package, names in KINDS.items():
        for name in names.split():
            kinds[f"{GROUPS.get(package, package)}/{name}"] = sources.message(package, name)
    target = Path(__file__).parent.parent / "embedded" / "api" / "protobuf.json"
    lines = [
        f"{json.dumps(name)}:{json.dumps(fields, separators=(',', ':'))}"
        for name, fields in sorted(sources.messages.items())
    ]
    body = ",\n".join(lines)
    target.write_text(f'{{"kinds":{json.dumps(kinds)},\n"messages":{{\n{body}\n}}}}\n')
    print(f"{len(lines)} messages, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
