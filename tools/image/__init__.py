"""The image as an archive, without a container engine."""
