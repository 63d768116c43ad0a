#!/bin/sh
# PA-GRPO (VideoP2R, arXiv 2511.11113) inside verl 0.9.1. NOT RUN ON GPUs: its parts were checked on a CPU through verl's
# own classes (docs/peers); the settings of memory and engines below are a guess to start from.
#
#   reelgym export questions --format verl --prompt videop2r --out EXPORT
#   MODEL=runs/videop2r-sft EXPORT=EXPORT JUDGE_URL=http://judge:8000/v1 JUDGE_MODEL=NAME sh scripts/peers/verl_pa_grpo.sh
#
# Published: 8 rollouts of each prompt, 1,000 updates, a frozen reference; of Video-R1, whose set-up the paper follows:
# learning rate 1e-6, divergence 0.04. Ours: 1024 tokens of a reply, 8 prompts an update, batch sizes.
set -eu
: "${MODEL:?a folder or hub name}" "${EXPORT:?what reelgym export wrote}"
VERL_USE_EXTERNAL_MODULES=reelgym.peers.verl_plugin
export VERL_USE_EXTERNAL_MODULES
exec python -m verl.trainer.main_ppo \
    algorithm.adv_estimator=pa_grpo \
    algorithm.use_kl_in_reward=False \
    +algorithm.reelgym.judge_url="${JUDGE_URL:-}" \
    +algorithm.reelgym.judge_model="${JUDGE_MODEL:-}" \
    reward.reward_manager.source=importlib \
    reward.reward_manager.name=Manager \
    reward.reward_manager.module.path=pkg://reelgym.peers.verl \
    data.train_files="$EXPORT/train.parquet" \
    data.val_files="$EXPORT/test.parquet" \
    data.train_batch_size=8 \
    data.max_prompt_length=16384 \
    data.max_response_length=1024 \
    data.filter_overlong_prompts=True \
    actor_rollout_ref.model.path="$MODEL" \
    actor_rollout_ref.actor.optim.lr=1e-6 \
    actor_rollout_ref.actor.ppo_mini_batch_size=8 \
    actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=1 \
    actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-mean \
    actor_rollout_ref.actor.use_kl_loss=True \
    actor_rollout_ref.actor.kl_loss_coef=0.04 \
    actor_rollout_ref.actor.kl_loss_type=low_var_kl \
    actor_rollout_ref.rollout.name=vllm \
    actor_rollout_ref.rollout.n=8 \
    actor_rollout_ref.rollout.gpu_memory_utilization=0.5 \
    actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=1 \
    actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu=1 \
    +ray_kwargs.ray_init.runtime_env.env_vars.VERL_USE_EXTERNAL_MODULES=reelgym.peers.verl_plugin \
    trainer.n_gpus_per_node=8 \
    trainer.total_training_steps=1000 \
    "$@"
