"""The cluster, watched and asked.

Reading order: `watches` (what is watched), `endpoints` (objects into revisions and pods), `probe` (pods
are asked), `waking` (the wake guard).
"""
