"""The shared nouns: messages, samples, trajectories, groups; and dataset files."""
