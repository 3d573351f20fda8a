"""The files that come with the distribution: manifests, config maps, samples."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from kube.objects import Obj

_HERE = Path(__file__).parent
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # of libyaml where it is there: ten times the speed


def config_folder() -> Path:
    """`config/` as the wheel carries it, or that of the checkout we run from."""
    packed = _HERE / "config"
    return packed if packed.is_dir() else _HERE.parent / "config"


def programs_folder() -> Path:
    """Where the sample servers stand that the image table names as `{samples}`."""
    return _HERE / "samples"


def sample_names() -> list[str]:
    """The sample manifests by name."""
    return sorted(path.stem for path in (config_folder() / "samples").glob("*.yaml"))


def sample(name: str) -> str:
    """The text of a sample manifest. Raises KeyError with the names there are."""
    if name not in sample_names():
        raise KeyError(f"no sample {name!r}; there are: {', '.join(sample_names())}")
    return (config_folder() / "samples" / f"{name}.yaml").read_text()


def objects_of(text: str) -> Iterator[Obj]:
    """The objects of a YAML text of one or more documents, Lists taken apart. Raises ValueError."""
    try:
        documents = list(yaml.load_all(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise ValueError(f"it is no YAML: {' '.join(str(error).split())}") from error
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, dict) or not document.get("kind") or not document.get("apiVersion"):
            raise ValueError("each document must be an object with apiVersion and kind")
        if document["kind"] == "List":
            yield from document.get("items") or ()
        else:
            yield document


def config_maps() -> list[Obj]:
    """The config maps that are installed where they are missing."""
    return [
        obj for path in sorted(config_folder().glob("config-*.yaml")) for obj in objects_of(path.read_text())
    ]


def custom_resources() -> list[Obj]:
    """The custom resource definitions of serving.knative.dev."""
    return list(objects_of((config_folder() / "crds.yaml").read_text()))


def program_manifests(program: str) -> list[Obj]:
    """What a cluster needs for the controller, the autoscaler or the activator, its Roles among it."""
    return list(objects_of((config_folder() / f"{program}.yaml").read_text()))
