"""The image archive that is made without a container engine."""
