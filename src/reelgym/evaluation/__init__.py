"""Measure a policy: run it over samples, score its replies, say how sure the numbers are, and whether it looked.

`runner.evaluate` asks and scores, `ask.ask` does so under every prompt and probe, `results` holds and stores what came
back, `compare.compare` pairs two evaluations, `probes` change what a sample shows and what is right then; intervals are
`scoring.statistics`. Only asking a policy needs torch.
"""
