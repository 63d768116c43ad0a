"""The words other libraries use for our settings, so that an unknown key is answered with ours.

From TRL, verl, ms-swift, EasyR1, OpenRLHF, NeMo-RL, LLaMA-Factory and transformers, as read in their documentation.
"""

from __future__ import annotations

from collections.abc import Iterable

from reelgym.errors import nearest

OURS: dict[str, tuple[str, ...]] = {
    "group_size": ("num_generations", "rollout.n", "n", "num_samples_per_prompt", "n_samples_per_prompt", "g",
                   "num_generations_per_prompt", "num_return_sequences"),
    "prompts_per_step": ("train_batch_size", "rollout_batch_size", "generation_batch_size", "global_batch_size",
                         "num_prompts_per_step", "batch_size", "per_device_train_batch_size"),
    "examples_per_step": ("train_batch_size", "batch_size", "global_batch_size", "per_device_train_batch_size"),
    "inner_steps": ("num_iterations", "ppo_epochs", "max_epochs", "mu"),
    "minibatches": ("num_minibatches", "ppo_mini_batch_size", "steps_per_generation", "mini_batch_size"),
    "micro_batch_tokens": ("ppo_max_token_len_per_gpu", "max_token_len", "gradient_accumulation_steps",
                           "ppo_micro_batch_size_per_gpu", "micro_batch_size"),
    "steps": ("max_steps", "total_steps", "total_training_steps", "num_train_steps", "num_steps", "max_train_steps"),
    "lr": ("learning_rate", "actor_learning_rate", "optim.lr", "actor.optim.lr", "max_lr"),
    "warmup_steps": ("warmup", "warmup_ratio", "lr_warmup_steps", "num_warmup_steps", "lr_warmup_steps_ratio"),
    "schedule": ("lr_scheduler_type", "lr_scheduler", "warmup_style"),
    "weight_decay": ("wd", "optim.weight_decay"),
    "gradient_checkpointing": ("activation_checkpointing", "activation_checkpointing.enabled",
                               "enable_gradient_checkpointing", "use_gradient_checkpointing"),
    "max_grad_norm": ("gradient_clip", "gradient_clipping", "grad_clip", "grad_norm_clip", "clip_grad", "max_norm"),
    "kl_coef": ("beta", "kl_loss_coef", "init_kl_coef", "kl_beta", "reference_policy_kl_penalty", "kl_coefficient"),
    "clip_low": ("epsilon", "epsilon_low", "clip_ratio_low", "clip_ratio", "cliprange", "eps_clip", "ratio_clip_min",
                 "eps_clip_low"),
    "clip_high": ("epsilon_high", "clip_ratio_high", "ratio_clip_max", "eps_clip_high"),
    "max_completion_tokens": ("max_completion_length", "max_response_length", "response_length", "max_new_tokens",
                              "max_tokens", "generate_max_len"),
    "max_reply_tokens": ("max_completion_length", "max_response_length", "max_new_tokens"),
    "max_prompt_tokens": ("max_prompt_length", "prompt_max_len", "max_length", "cutoff_len", "max_seq_length"),
    "temperature": ("rollout.temperature", "temp", "sampling_temperature"),
    "mask_truncated": ("mask_truncated_completions", "overlong_filtering"),
    "train_tower": ("freeze_vision_tower", "freeze_vit", "freeze_vision_modules", "train_vision"),
    "lora_rank": ("lora_r", "r", "lora.r", "lora.rank", "lora_dim"),
    "policy": ("model", "model_name", "model_name_or_path", "model_path", "actor.model.path", "pretrain"),
    "data": ("dataset", "dataset_name", "train_files", "prompt_data", "data.train_files", "train_dataset"),
    "algorithm": ("loss_type", "adv_estimator", "advantage_estimator", "rlhf_type"),
    "rubric": ("reward_funcs", "reward_function", "custom_reward_function.path", "reward", "rewards"),
    "variant": ("template", "prompt_template", "system_prompt"),
    "eval_every": ("eval_steps", "test_freq", "val_freq", "eval_interval", "val_period"),
    "save_every": ("save_steps", "save_freq", "save_interval", "checkpoint_every"),
    "groups": ("dynamic_sampling", "filter_groups", "filter_groups.enable", "dynamic_filtering", "ssr"),
    "rounds": ("max_num_gen_batches", "max_resample_times", "filter_groups.max_num_gen_batches"),
    "band": ("difficulty_range", "offline_filter", "pass_rate_range"),
    "order": ("curriculum", "sampler", "data.sampler", "shuffle"),
    "replay_groups": ("replay_buffer_size", "buffer_size"),
    "patience": ("early_stopping_patience", "early_stop"),
    "seed": ("random_seed", "data_seed"),
    "trackers": ("report_to", "logger", "log_with"),
}  # fmt: skip
"""Our word, as the last part of a key, and others' words for it. Two of ours may claim one word: the run decides."""


def suggest(key: str, known: Iterable[str]) -> str | None:
    """Return the known key that a foreign or misspelt one most likely means, or None.

    >>> suggest("num_generations", ["config.group_size", "config.lr"])
    'config.group_size'
    >>> suggest("algorithm.clip_hihg", ["algorithm.clip_low", "algorithm.clip_high"])
    'algorithm.clip_high'
    """
    keys = list(known)
    wanted = key.lower().replace("-", "_")
    for name in (wanted, wanted.rpartition(".")[2]):
        for found in keys:
            if name in OURS.get(found.rpartition(".")[2], ()):
                return found
    if close := nearest(key, keys):
        return close
    by_leaf = {found.rpartition(".")[2]: found for found in reversed(keys)}
    close = nearest(wanted.rpartition(".")[2], by_leaf)
    return by_leaf[close] if close else None
