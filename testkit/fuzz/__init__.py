"""Fuzz targets of the data plane: `script` (a play as bytes), `stage` (the proxy on a fake loop), `reading`
(an independent reader), `requests` and `answers` (the two targets), `campaign` (a run of libFuzzer),
`corpus/` (seeds).
"""
