"""Knative's arithmetic: from a history of load to a wanted number of pods.

Reading order: `spec` (config map and annotations resolved for one revision), `windows` (averages over the
last seconds), `maximum` (the scale-down delay), `decider` (averages to pods), `scaler` (all of it for one
revision), `history` (what happened, in the format of `replay`), `replay` (a history decided anew).

Admitted here: what is decided from load, ready pods and settings alone, the same as Knative decides it.
Limits, life cycle, and all that concerns real pods are one folder up.
"""
