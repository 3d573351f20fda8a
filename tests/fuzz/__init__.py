"""The fuzz targets' seeds, planted faults, and a short run of each target."""
