"""Rollouts: samplers that turn prompts into completions with the log-probs of every token drawn; and a chat client.

Public: `base.Sampler`, `base.SamplingParams`, `local.LocalSampler`, `streams.Streams`, `streams.uniforms`.
For endpoints, without torch: `chat.Chat`, `chat.ChatRequest`, `chat.Endpoint`, `chat.Reply`, `paid.Journal`.
"""
