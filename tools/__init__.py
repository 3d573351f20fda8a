"""Scripts that build what the project and its tests need."""
