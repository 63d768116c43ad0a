"""The peer's arm of `group_step.py`: TRL's GRPOTrainer on the job's prompts. Runs in the peer's environment.

    python bench/step_trl.py JOB.json

Nothing of reelgym is imported. The trainer runs at its best: one generation batch is one update, frames lie in memory,
no reference, no logging, no saving. Time inside the processor is a phase of its own.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers
import trl
from datasets import Dataset
from PIL import Image
from step_job import Clock, Memory, frames, parts, report, reward
from transformers import AutoTokenizer, ProcessorMixin, Qwen2_5_VLForConditionalGeneration, TrainerCallback
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from trl import GRPOConfig, GRPOTrainer

CLOCK = Clock()


class FrameProcessor(ProcessorMixin):
    """The official PIL image processor and the tokenizer; the official processor needs torchvision for its videos."""

    return_mm_token_type_ids = True

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None) -> None:
        """Take both, and the template of prompts."""
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        tokens = [self.image_token, self.video_token]
        self.image_token_id, self.video_token_id = tokenizer.convert_tokens_to_ids(tokens)
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    def replace_image_token(self, image_inputs: dict[str, Any], image_idx: int, **kwargs: Any) -> str:
        """Return the placeholders of one image."""
        return self.image_token * int(image_inputs["image_grid_thw"][image_idx].prod() // 4)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the inputs of a batch of prompts."""
        with CLOCK.phase("processor"):
            return super().__call__(*args, **kwargs)


class Trainer(GRPOTrainer):
    """TRL's trainer with a clock."""

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        with CLOCK.phase("sample"):
            return super()._generate_and_score_completions(inputs)

    def _calculate_rewards(self, *args: Any) -> Any:
        with CLOCK.phase("score"):
            return super()._calculate_rewards(*args)


class Step(TrainerCallback):
    """Opens and closes steps; what is in no other phase is the update."""

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        """Open a step."""
        self.phase = CLOCK.phase("update")
        self.phase.__enter__()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """Close it."""
        self.phase.__exit__(None, None, None)
        CLOCK.end_step()


def rows(job: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Return one prompt per step, its frames in memory."""
    found = []
    for step in range(count):
        images = [Image.fromarray(frame) for frame in frames(job, step)]
        content = [
            {"type": "text", "text": part} if isinstance(part, str) else {"type": "image", "image": images[part]}
            for part in parts(job["filler"])
        ]
        found.append({"prompt": [{"role": "user", "content": content}]})
    return found


def in_memory(given: list[dict[str, Any]]) -> Dataset:
    """Return a dataset that hands out the given prompts as they are: one of images would decode a PNG at each read."""
    numbers = Dataset.from_dict({"row": list(range(len(given)))})
    return numbers.with_transform(lambda batch: {"prompt": [given[row]["prompt"] for row in batch["row"]]})


def settings(job: dict[str, Any], folder: str, barred: list[int]) -> GRPOConfig:
    """Return the trainer's settings; `barred` ids are never sampled."""
    return GRPOConfig(
        output_dir=folder,
        per_device_train_batch_size=job["group"],
        num_generations=job["group"],
        gradient_accumulation_steps=1,
        steps_per_generation=1,
        max_steps=job["warm"] + job["steps"],
        max_completion_length=job["completion"],
        generation_kwargs={"suppress_tokens": barred},
        loss_type="grpo",
        beta=0.0,
        learning_rate=1e-5,
        optim="adamw_torch",
        gradient_checkpointing=job["checkpointing"],
        bf16=False,
        use_cpu=True,
        shuffle_dataset=False,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


def main() -> None:
    """Run the job."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(job["model"], dtype=torch.float32)
    model.model.visual.requires_grad_(False)
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    images = Qwen2VLImageProcessorPil.from_pretrained(job["model"])
    processor = FrameProcessor(images, tokenizer, chat_template=tokenizer.chat_template)
    given = rows(job, job["warm"] + job["steps"])
    found = processor.apply_chat_template(
        given[0]["prompt"], add_generation_prompt=True, tokenize=True, return_dict=True
    )
    assert list(map(int, torch.as_tensor(found["input_ids"]).flatten())) == job["ids"], "the arms' prompts differ"
    with torch.no_grad():
        model(input_ids=torch.tensor([[5]]))

    def score(completion_ids: list[list[int]], **_: Any) -> list[float]:
        lengths = {len(ids) for ids in completion_ids}
        assert lengths == {job["completion"]}, f"completions of {lengths} tokens"
        return [reward(ids) for ids in completion_ids]

    CLOCK.now.clear()
    memory = Memory()
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model,
            reward_funcs=score,
            args=settings(job, folder, job["barred"]),
            train_dataset=in_memory(given),
            processing_class=processor,
            callbacks=[Step()],
        )
        trainer.train()
    versions = {"trl": trl.__version__, "transformers": transformers.__version__, "torch": torch.__version__}
    report(job, CLOCK, memory, peer=f"TRL {trl.__version__} GRPOTrainer", versions=versions)


if __name__ == "__main__":
    main()
