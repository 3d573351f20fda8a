"""What the API of a laptop holds from the first start on, and `up -f`."""

from pathlib import Path

from kube.edge.client import ApiError, Client
from kube.objects import Obj, name, namespace
from kube.resources import CONFIGMAPS, CRDS, NAMESPACES, Resource
from zerogate import manifests, shipped
from zerogate.errors import Failed

FIRST_NAMESPACES = ("default", "kube-system")


async def install(client: Client, system_namespace: str) -> None:
    """Namespaces and config maps where they are missing; our CRDs as this version has them.

    A config map that stands is left as its user made it.
    """
    for wanted in (*FIRST_NAMESPACES, system_namespace):
        await _create(client, NAMESPACES, _named("Namespace", wanted))
    for crd in shipped.custom_resources():
        await client.patch(CRDS, "", name(crd), crd, kind="apply", force=True)
    for config_map in shipped.config_maps():
        placed = {**config_map, "metadata": {**config_map["metadata"], "namespace": system_namespace}}
        await _create(client, CONFIGMAPS, placed)


def _named(kind: str, wanted: str) -> Obj:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": wanted}}


async def _create(client: Client, resource: Resource, obj: Obj) -> None:
    try:
        await client.create(resource, obj)
    except ApiError as error:
        if not error.is_already_exists:
            raise


def read_manifests(files: list[Path]) -> list[tuple[Path, Obj]]:
    """The objects of the files, each with where it came from. Raises Failed."""
    found = []
    for file in files:
        try:
            text = file.read_text()
        except FileNotFoundError:
            raise Failed(f"{file} does not exist") from None
        except (OSError, UnicodeDecodeError) as error:
            raise Failed(f"{file} can't be read: {error}") from error
        try:
            found += [(file, obj) for obj in shipped.objects_of(text)]
        except ValueError as error:
            raise Failed(f"{file}: {error}") from error
    return found


async def apply(client: Client, file: Path, manifest: Obj) -> str:
    """What `kubectl apply` does; says created, configured or unchanged. Raises Failed naming the file."""
    try:
        resource = await _resource_of(client, manifest)
        wanted = dict(manifest)
        if resource.namespaced:
            wanted["metadata"] = {**manifest["metadata"], "namespace": namespace(manifest) or "default"}
        return await _apply(client, resource, wanted)
    except (ApiError, KeyError) as error:
        told = error.message if isinstance(error, ApiError) else f"metadata.{error.args[0]} is missing"
        raise Failed(f"{file}: {told}") from error


async def _apply(client: Client, resource: Resource, wanted: Obj) -> str:
    try:
        live = await client.get(resource, namespace(wanted), name(wanted))
    except ApiError as error:
        if not error.is_not_found:
            raise
        await client.create(resource, manifests.with_last_applied(wanted))
        return "created"
    patch = manifests.merge_patch_for(live, wanted)
    if not patch:
        return "unchanged"
    await client.patch(resource, namespace(wanted), name(wanted), patch, kind="merge")
    return "configured"


async def _resource_of(client: Client, manifest: Obj) -> Resource:
    """How the API serves the manifest's kind, by its discovery."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    served = await client.discover(group, version)
    for entry in served.get("resources") or ():
        if entry["kind"] == manifest["kind"] and "/" not in entry["name"]:
            return Resource(group, version, entry["name"], entry["kind"], entry["namespaced"])
    raise ApiError(404, "NotFound", f"no kind {manifest['kind']!r} in {manifest['apiVersion']}")
