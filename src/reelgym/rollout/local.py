"""The sampler in this process: one prefill per prompt, its keys and values shared by the completions of its group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from reelgym.data.segments import segment
from reelgym.data.trajectory import Stop, Turn
from reelgym.errors import RequestError
from reelgym.models import attention
from reelgym.models.features import moved
from reelgym.rollout.base import SamplingParams
from reelgym.rollout.cache import GroupCache, Prefill
from reelgym.rollout.choose import choose, logprobs
from reelgym.rollout.sharing import Prefix, order, plain_row, shared_row, shown
from reelgym.rollout.sharing import prefixes as find_prefixes
from reelgym.rollout.streams import Streams

if TYPE_CHECKING:
    from reelgym.models.base import Features, Policy, Prompt
    from reelgym.models.features import KeptFeatures

__all__ = ["LocalSampler", "SamplingParams"]

LEAVE = 0.85
"""Finished rows leave the batch once at most this share of it goes on: each time costs one copy of the cache."""


class LocalSampler:
    """Samples from a policy held in memory. Satisfies `rollout.base.Sampler`.

    Args:
        policy: The policy; used as it is at each call.
        max_rows: Completions decoded at once, rounded down to whole groups (at least one). Several prompts of
            different lengths share a batch.
        share_prefixes: Prompts that show the same media are read up to their first difference once, and the tower runs
            once for all of them. The same numbers but for rounding.
        kept: Where features of a frozen tower are looked up before it runs, and kept; None for nowhere.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        max_rows: int = 256,
        share_prefixes: bool = False,
        kept: KeptFeatures | None = None,
    ) -> None:
        """Take a policy; see the class."""
        if max_rows < 1:
            raise RequestError(f"max_rows={max_rows} is below 1: give the completions to decode at once")
        self.policy, self.max_rows = policy, max_rows
        self.share_prefixes, self.kept = share_prefixes, kept

    def sample(
        self,
        prompts: Sequence[Prompt],
        *,
        n: int,
        params: SamplingParams,
        streams: Streams | None,
        features: Sequence[Features] | None = None,
    ) -> list[list[Turn]]:
        """Return for every prompt its n completions; see `rollout.base.Sampler.sample`.

        Raises:
            RequestError: n below 1, no streams at a temperature above 0, not one stream or feature per prompt, or a
                model with recurrent or windowed layers.
        """
        if n < 1:
            raise RequestError(f"n={n} is below 1: give the completions per prompt")
        if streams is None and params.temperature > 0:
            raise RequestError(f"temperature={params.temperature} needs streams; only greedy decoding goes without")
        _check_counts(len(prompts), streams, features)
        if not attention.serves(self.policy.model):
            raise RequestError(
                f"{self.policy.source} has recurrent or windowed layers, whose states the local sampler cannot share: "
                "sample with another engine"
            )
        attention.install(self.policy.model)
        was_training = self.policy.model.training
        self.policy.model.eval()
        found: dict[int, list[Turn]] = {}
        for prefixes in self._waves(prompts, max(1, self.max_rows // n)):
            places = order(prefixes)
            wave = [prompts[place] for place in places]
            inside = _counted(prefixes)
            seen = self._features(wave) if features is None else [features[place] for place in places]
            draws = None if streams is None else _draws(streams, places, n, params)
            rows = _Wave(self.policy, wave, seen, inside, n=n, params=params, draws=draws).run()
            found |= {place: rows[i * n : (i + 1) * n] for i, place in enumerate(places)}
        self.policy.model.train(was_training)
        return [found[place] for place in range(len(prompts))]

    def _waves(self, prompts: Sequence[Prompt], size: int) -> list[list[Prefix]]:
        """Return what is decoded together: at most `size` prompts each, shared prefixes whole where they fit."""
        if not self.share_prefixes:
            alone = [Prefix((p,), 0) for p in sorted(range(len(prompts)), key=lambda place: len(prompts[place].ids))]
            return [alone[start : start + size] for start in range(0, len(alone), size)]
        waves: list[list[Prefix]] = []
        room = 0
        placeholders = torch.tensor(list(self.policy.placeholder_ids.values()))
        for prefix in (part for whole in find_prefixes(prompts, placeholders) for part in whole.cut(size)):
            if not waves or len(prefix.places) > room:
                waves.append([])
                room = size
            waves[-1].append(prefix)
            room -= len(prefix.places)
        return waves

    def _features(self, prompts: Sequence[Prompt]) -> list[Features]:
        """Return the features of prompts; where prefixes are shared the tower runs once for the same media."""
        keys = [(self.share_prefixes and shown(prompt)) or place for place, prompt in enumerate(prompts)]
        first: dict[object, Prompt] = {}
        for key, prompt in zip(keys, prompts, strict=True):
            first.setdefault(key, prompt)
        found: dict[object, Features] = {}
        for key, prompt in first.items():
            if self.kept and (kept := self.kept.load(prompt)):
                found[key] = moved(kept, self.policy.device)
        missing = [key for key in first if key not in found]
        with torch.no_grad():
            made = self.policy.features([first[key] for key in missing])
        for key, features in zip(missing, made, strict=True):
            found[key] = features
            if self.kept:
                self.kept.save(first[key], features)
        return [found[key] for key in keys]


class _Wave:
    """Groups that are decoded together, B = n * prompts rows at first."""

    def __init__(
        self,
        policy: Policy,
        prompts: Sequence[Prompt],
        features: Sequence[Features],
        prefixes: Sequence[Prefix],
        *,
        n: int,
        params: SamplingParams,
        draws: Tensor | None,
    ) -> None:
        self.policy, self.prompts, self.features, self.n, self.params = policy, prompts, features, n, params
        self.prefixes = prefixes
        self.device = policy.device
        self.draws = None if draws is None else draws.to(self.device)
        """(B, max_tokens) float64."""
        rows, tokens = n * len(prompts), params.max_tokens
        self.ids = torch.zeros(rows, tokens, dtype=torch.int64, device=self.device)
        self.logprobs = torch.zeros(rows, tokens, device=self.device)
        self.lengths = torch.full((rows,), tokens, device=self.device)
        self.stops: list[Stop] = ["length"] * rows
        self.eos = torch.tensor(sorted(policy.eos_ids), device=self.device)
        self.forbidden = policy.forbidden_ids.to(self.device)
        self.mask = attention.no_mask(self.device)

    @torch.inference_mode()
    def run(self) -> list[Turn]:
        """Return the B turns, group by group.

        Only here in inference mode: what others may cache (ids, features) is made outside, fit for autograd.
        """
        logits, cache = self._prefill()
        rows = torch.arange(len(self.ids), device=self.device)
        alive = torch.ones(len(rows), dtype=torch.bool, device=self.device)
        following = torch.tensor([prompt.next_position for prompt in self.prompts], device=self.device)
        positions = following.repeat_interleave(self.n)
        for step in range(self.params.max_tokens):
            scores = logprobs(logits, self.forbidden, self.params.temperature)
            tokens = choose(scores, None if self.draws is None else self.draws[rows, step], self.params)
            self.ids[rows, step] = tokens
            self.logprobs[rows, step] = scores.gather(-1, tokens[:, None])[:, 0]
            alive = self._end(rows, alive, tokens, step)
            count = int(alive.sum())
            if not count or step + 1 == self.params.max_tokens:
                break
            if count <= LEAVE * len(rows):
                cache.keep(alive)
                rows, tokens, positions, alive = rows[alive], tokens[alive], positions[alive], alive[alive]
            logits = self._forward(tokens, positions + step, cache)
        return self._turns()

    def _prefill(self) -> tuple[Tensor, GroupCache]:
        """Return the logits (B, V) of the first tokens and the cache of the prompts, run as one packed row."""
        row = shared_row if any(prefix.tokens for prefix in self.prefixes) else plain_row
        packed = row(self.prompts, self.features, self.prefixes, self.n, self.device)
        prefill = Prefill(packed.layout)
        output = self.policy.hidden(
            packed.ids[None],
            packed.positions[:, None],
            features=packed.features,
            layout=prefill,
            attention_mask=self.mask,
        )
        logits = self.policy.logits(attention.states(output)[0, packed.last]).repeat_interleave(self.n, 0)
        return logits, GroupCache(prefill, packed.held)

    def _forward(self, tokens: Tensor, positions: Tensor, cache: GroupCache) -> Tensor:
        """Return the logits (b, V) after `tokens` (b,) at `positions` (b,)."""
        output = self.policy.hidden(
            tokens[:, None],
            positions[None, :, None].expand(3, -1, -1),
            features=None,
            layout=cache,
            attention_mask=self.mask,
        )
        cache.length += 1
        return self.policy.logits(attention.states(output)[:, 0])

    def _end(self, rows: Tensor, alive: Tensor, tokens: Tensor, step: int) -> Tensor:
        """Return who goes on (b,) after `tokens` (b,) was drawn as token `step`; note where and why the others end."""
        ended = torch.isin(tokens, self.eos) & alive
        reasons: dict[int, Stop] = dict.fromkeys(rows[ended].tolist(), "eos")
        going = alive & ~ended
        if self.params.stop:
            for place in going.nonzero()[:, 0].tolist():
                if self._stopped(int(rows[place]), step):
                    reasons[int(rows[place])] = "stop_string"
                    going[place] = False
        for row, reason in reasons.items():
            self.stops[row] = reason
            self.lengths[row] = step + 1
        return going

    def _stopped(self, row: int, step: int) -> bool:
        """Return whether the row's last token completed a stop string; each of its characters is at most 4 tokens."""
        window = 4 * max(len(text) for text in self.params.stop) + 4
        tail = self.policy.decode(self.ids[row, max(0, step + 1 - window) : step + 1].tolist())
        return any(text in tail for text in self.params.stop)

    def _turns(self) -> list[Turn]:
        ids, scores = self.ids.cpu().numpy(), self.logprobs.cpu().numpy()
        turns: list[Turn] = []
        for row, length in enumerate(self.lengths.tolist()):
            pieces = self.policy.pieces(ids[row, :length].tolist())
            turn = Turn(
                ids=ids[row, :length].copy(),
                logprobs=scores[row, :length].astype(np.float32),
                loss_mask=np.ones(length, dtype=np.bool_),
                text="".join(pieces),
                stop=self.stops[row],
                segments=segment(pieces),
            )
            turns.append(turn)
        return turns


def _counted(prefixes: Sequence[Prefix]) -> list[Prefix]:
    """Return prefixes whose places count through their own prompts, 0 being the first one's."""
    at = iter(range(sum(len(prefix.places) for prefix in prefixes)))
    return [Prefix(tuple(next(at) for _ in prefix.places), prefix.tokens) for prefix in prefixes]


def _check_counts(prompts: int, streams: Streams | None, features: Sequence[Features] | None) -> None:
    counts = {
        "streams": prompts if streams is None else len(streams.prompts),
        "features": prompts if features is None else len(features),
    }
    for name, count in counts.items():
        if count != prompts:
            raise RequestError(f"{count} {name} for {prompts} prompts: give one for each")


def _draws(streams: Streams, places: Sequence[int], n: int, params: SamplingParams) -> Tensor:
    """Return (n * prompts, max_tokens) float64."""
    return torch.from_numpy(np.concatenate([streams.draw(place, n, params.max_tokens) for place in places]))
