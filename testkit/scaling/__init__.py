"""The autoscaler's loop in virtual time: `world` (fake API and activators), `stage` (plays of a revision's
life), `link` (a leader that records messages).
"""
