"""kubectl as a table: each kind by each verb, for both engines.

Reading order: `kinds` (a row each: a sample, a change to it, what kubectl shows of it), `cells` (a verb, and
what a cell has at hand), then the verbs: `writing`, `reading`, `running`, `ending`; `reasons` says of each
cell without a test why it has none.
"""
