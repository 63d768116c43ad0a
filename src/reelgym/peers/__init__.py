"""Our credit inside other trainers: what a peer has to import, and nothing that needs it before it asks.

`peers.carried` puts segments and their totals into one row of token-level rewards; `peers.verl` registers PA-GRPO.
"""
