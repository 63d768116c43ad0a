"""What this machine can run, and whether a model is right on it: PASS or FAIL, a line each.

`machine.checks` looks at the machine, `local.checks` at a model that runs here, `remote.checks` at an endpoint; `gate`
lets `train` and `eval` ask for the short form of these before they begin.
"""
