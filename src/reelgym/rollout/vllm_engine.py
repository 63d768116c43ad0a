"""vLLM in this process, on the trainer's own GPU: it sleeps while weights train."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reelgym.errors import RequestError
from reelgym.rollout.vllm import BAR, Answered, Ask, Member


class Colocated:
    """An engine of this rank; vLLM is imported here and nowhere else.

    Args:
        model: Folder or hub name of the policy it begins with.
        lora_rank: Rank of the adapters it will be given; 0 where it is given whole weights.
        memory: Share of the GPU it may take while awake.
        context: Longest prompt and completion together, in tokens.
    """

    shared = False

    def __init__(self, model: str, *, lora_rank: int, memory: float = 0.4, context: int = 32768) -> None:
        """Start it.

        Raises:
            RequestError: vLLM is not installed.
        """
        try:
            import vllm
        except ImportError as fault:
            raise RequestError(
                "sampler=vllm without vllm_url runs vLLM in this process, and it is not installed: pip install vllm, "
                "or give the address of a server"
            ) from fault
        self._vllm = vllm
        self._lora: Any = None
        adapters = {"enable_lora": True, "max_lora_rank": max(8, lora_rank)} if lora_rank else {}
        ranks = {"distributed_executor_backend": "external_launcher"} if "RANK" in os.environ else {}
        self._engine = vllm.LLM(
            model=model,
            dtype="bfloat16",
            logprobs_mode="processed_logprobs",
            generation_config="vllm",
            enable_sleep_mode=True,
            gpu_memory_utilization=memory,
            max_model_len=context,
            **adapters,
            **ranks,
        )

    def ask(self, groups: Sequence[Ask]) -> list[Answered]:
        """Return the groups in order."""
        found: list[Answered] = []
        # Frame rates are named per call, so groups that share them go together.
        for group in groups:
            outputs = self._engine.chat(
                [group.messages],
                self._vllm.SamplingParams(
                    **group.settings(), logprobs=0, logit_bias={barred: BAR for barred in group.barred}
                ),
                use_tqdm=False,
                mm_processor_kwargs=group.media or None,
                lora_request=self._lora,
            )
            found.append(_answered(outputs[0]))
        return found

    def load(self, folder: Path, *, adapter: bool, tower: bool) -> None:
        """Take the weights or the adapter in a folder."""
        if adapter:
            from vllm.lora.request import LoRARequest

            number = 1 if self._lora is None else self._lora.lora_int_id + 1
            self._lora = LoRARequest(f"reelgym-{number}", number, str(folder))
        else:
            self._engine.collective_rpc("reload_weights", kwargs={"weights_path": str(folder)})
        self._engine.reset_prefix_cache()
        if tower:
            self._engine.reset_mm_cache()
            self._engine.llm_engine.reset_encoder_cache()

    def sleep(self) -> None:
        """Give back memory until `wake`."""
        self._engine.sleep(level=1)

    def wake(self) -> None:
        """Take the memory back."""
        self._engine.wake_up()


def _answered(output: Any) -> Answered:
    return Answered(prompt_ids=list(output.prompt_token_ids), members=[_member(one) for one in output.outputs])


def _member(one: Any) -> Member:
    ids = list(one.token_ids)
    given = None
    if one.logprobs is not None:
        given = [float(chances[token].logprob) for token, chances in zip(ids, one.logprobs, strict=True)]
    return Member(ids=ids, logprobs=given, finish=str(one.finish_reason), reason=one.stop_reason)
