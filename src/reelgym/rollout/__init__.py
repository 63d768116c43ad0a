"""Rollouts: samplers that turn prompts into completions with the log-probs of every token drawn.

Public: `base.Sampler`, `base.SamplingParams`, `local.LocalSampler`, `streams.Streams`, `streams.uniforms`.
"""
