"""Other activators: one of all owns a revision's hard limit, and the others send their requests to it.

Reading order: `owning` (who owns what, carried out), `door` (where requests of others come in).
"""
