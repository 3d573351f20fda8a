"""The types of objects that are surely known."""

from embedded.schema import Schemas, TypeSchema


def schema_of(schemas: Schemas, group: str, version: str, kind: str) -> TypeSchema:
    """As `Schemas.for_kind`, where it must not be None."""
    found = schemas.for_kind(group, version, kind)
    assert found is not None, f"{group}/{version} {kind} is not known"
    return found
