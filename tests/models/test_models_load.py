from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path

import pytest
import torch
from model_prompts import media, messages
from transformers import AutoModelForImageTextToText, AutoTokenizer
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from reelgym import models
from reelgym.errors import RequestError
from reelgym.models import loading, tiny
from reelgym.models.base import Policy


def logits(policy: Policy) -> torch.Tensor:
    prompt = policy.encode(messages("mixed"), media(policy))
    found = policy.hidden(prompt.ids[None], prompt.positions[:, None], features=policy.features([prompt]))
    return policy.logits(found.last_hidden_state)


@pytest.fixture(scope="module")
def folders(policies: dict[str, Policy], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("saved")
    for family, policy in policies.items():
        policy.save(root / family)
    return {family: root / family for family in policies}


@pytest.fixture
def folder(policy: Policy, folders: dict[str, Path]) -> Path:
    return folders[policy.family.name]


@pytest.fixture
def broken(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of a good folder, to be spoiled."""
    return Path(shutil.copytree(folders["qwen2_5_vl"], tmp_path / "broken"))


def edit(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_saved_files_may_be_read_by_whom_the_umask_allows(policy: Policy, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        policy.save(tmp_path / "saved")
    finally:
        os.umask(before)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "saved").iterdir()}
    assert "model.safetensors" in modes and set(modes.values()) == {"0o640"}


@torch.no_grad()
def test_a_saved_policy_loads_as_the_same_policy(policy: Policy, folder: Path) -> None:
    again = models.load(folder)
    assert torch.equal(logits(again), logits(policy))
    assert (again.sizing, again.position_rule, again.eos_ids) == (policy.sizing, policy.position_rule, policy.eos_ids)
    assert again.cold_started is False and again.source == str(folder)


@torch.no_grad()
def test_stock_transformers_serves_a_saved_folder(policy: Policy, folder: Path) -> None:
    stock = AutoModelForImageTextToText.from_pretrained(folder)
    assert type(stock) is type(policy.model)
    prompt = policy.encode(messages("text"), media(policy))
    found = stock(input_ids=prompt.ids[None], position_ids=prompt.positions[:, None]).logits
    ours = policy.hidden(prompt.ids[None], prompt.positions[:, None], features=None).last_hidden_state
    assert torch.equal(found, policy.logits(ours))
    assert stock.generation_config.eos_token_id == sorted(policy.eos_ids, reverse=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("c4 <answer>")["input_ids"] == policy.tokenize("c4 <answer>")
    assert tokenizer.chat_template == policy.tokenizer.chat_template


def test_the_official_image_processor_reads_a_saved_folder(policy: Policy, folder: Path) -> None:
    processor = Qwen2VLImageProcessorPil.from_pretrained(folder)
    pixels = media(policy, 2)(messages("image")[0].parts[0])
    made = processor(images=[pixels[0]], return_tensors="pt", input_data_format="channels_last")
    encoded = policy.encode(messages("image"), media(policy, 2))
    assert torch.equal(made["pixel_values"], encoded.patches["image"])


def test_saving_and_loading_draw_nothing(policy: Policy, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    policy.save(tmp_path)
    models.load(tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", tiny.NAMES)
def test_the_embedded_names_load_and_say_whether_they_were_trained(name: str) -> None:
    policy = models.load(name)
    assert policy.family.name == tiny.NAMES[name]
    assert policy.cold_started is (loading.ASSETS / name).is_dir()


@torch.no_grad()
def test_packaged_weights_are_used_where_there_are_any(
    policies: dict[str, Policy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = tiny.build("qwen2_5_vl", seed=5)
    trained.save(tmp_path / "tiny")
    monkeypatch.setattr(loading, "ASSETS", tmp_path)
    policy = models.load("tiny")
    assert policy.cold_started and policy.source == policy.model.name_or_path == "tiny"
    assert torch.equal(logits(policy), logits(trained))
    assert not models.load("tiny-qwen3").cold_started


def test_a_dtype_is_of_the_weights_and_logits_stay_float32(folder: Path) -> None:
    policy = models.load(folder, dtype="bfloat16")
    assert policy.model.dtype == torch.bfloat16
    assert logits(policy).dtype == torch.float32


def test_a_run_is_its_best_checkpoint_else_its_last_or_the_one_named(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for step in (5, 20, 100):
        (run / "checkpoints" / f"step-{step}").mkdir(parents=True)
    (run / "checkpoints" / "step-7.part").mkdir()
    assert loading.resolve(str(run)).endswith("step-100")
    (run / "checkpoints" / "best.json").write_text('{"checkpoint": "step-20"}')
    assert loading.resolve(str(run)).endswith("step-20")
    assert loading.resolve(f"{run}@step-5").endswith("step-5")
    with pytest.raises(RequestError, match=r"no checkpoint step-6 in .*There are: step-5, step-20, step-100"):
        loading.resolve(f"{run}@step-6")
    (tmp_path / "new" / "checkpoints").mkdir(parents=True)
    with pytest.raises(RequestError, match="has no checkpoint yet"):
        loading.resolve(str(tmp_path / "new"))


@torch.no_grad()
def test_an_adapter_is_saved_alone_and_loads_onto_its_base(folders: dict[str, Path], tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    policy = models.load(folders["qwen2_5_vl"])
    before = logits(policy)
    policy.model.add_adapter(peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    policy.save(tmp_path / "adapter")
    assert not (tmp_path / "adapter" / "model.safetensors").exists()
    adapted = models.load(tmp_path / "adapter")
    torch.testing.assert_close(logits(adapted), logits(policy), atol=1e-6, rtol=0)
    assert (logits(adapted) - before).abs().max() > 1e-4
    adapted.model.disable_adapters()
    torch.testing.assert_close(logits(adapted), before, atol=1e-6, rtol=0)


def test_special_ids_that_differ_from_the_config_are_refused(broken: Path) -> None:
    edit(broken / "config.json", image_token_id=3)
    with pytest.raises(RequestError, match=r"<\|image_pad\|> is \d+ in its tokenizer and 3 in its config"):
        models.load(broken)


def test_a_tokenizer_without_the_special_tokens_is_refused(broken: Path) -> None:
    tokenizer = json.loads((broken / "tokenizer.json").read_text())
    tokenizer["added_tokens"] = [t for t in tokenizer["added_tokens"] if t["content"] != "<|video_pad|>"]
    (broken / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(RequestError, match=r"its tokenizer has no special token <\|video_pad\|>"):
        models.load(broken)


def test_another_position_rule_is_refused(broken: Path) -> None:
    edit(broken / "reelgym.json", position_rule="qwen2.5-vl:larger-side")
    with pytest.raises(
        RequestError, match=r"trained with positions 'qwen2.5-vl:larger-side' and this version computes"
    ):
        models.load(broken)


def test_other_patches_are_refused(broken: Path) -> None:
    config = json.loads((broken / "config.json").read_text())
    edit(broken / "config.json", vision_config=config["vision_config"] | {"patch_size": 16})
    with pytest.raises(RequestError, match=r"\(16, 2, 2\) differ from those of qwen2_5_vl, \(14, 2, 2\)"):
        models.load(broken)


def test_a_family_without_adapter_is_refused(broken: Path) -> None:
    (broken / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(RequestError, match=r"type .llama., which has no adapter\. Known: qwen2_5_vl, qwen3_vl"):
        models.load(broken)


def test_pickled_weights_are_not_read(broken: Path) -> None:
    torch.save({}, broken / "pytorch_model.bin")
    (broken / "model.safetensors").unlink()
    with pytest.raises(RequestError, match="cannot be loaded as a model"):
        models.load(broken)


def test_weights_that_are_missing_or_do_not_fit_are_not_invented(broken: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(broken / "model.safetensors")
    gone = next(name for name in weights if name.endswith("q_proj.weight"))
    save_file({k: v for k, v in weights.items() if k != gone}, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RequestError, match="lacks 1 weights of its model"):
        models.load(broken)
    save_file({**weights, gone: torch.zeros(3, 3)}, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RequestError, match="cannot be loaded as a model"):
        models.load(broken)
    (broken / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(RequestError, match="cannot be loaded as a model"):
        models.load(broken)


@pytest.mark.parametrize("name", ["nonsense", "not/a/model/at/all", "/no/such/folder", "./nothing"])
def test_a_name_that_is_nothing_is_told_in_one_line(name: str) -> None:
    with pytest.raises(
        RequestError,
        match=r"give tiny, tiny-qwen3, tiny-internvl, tiny-smolvlm, a folder with config\.json, a run, or a hub name",
    ) as e:
        models.load(name)
    assert "\n" not in str(e.value)


def test_what_must_be_a_path_and_a_hub_out_of_reach_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(host: str, port: object) -> object:
        raise socket.gaierror(-2, f"{host} is not known")

    monkeypatch.chdir(tmp_path)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("socket.getaddrinfo", nowhere)
    with pytest.raises(RequestError, match=r"no model 'runs/mvp': runs/ holds nothing\. Give one"):
        models.load("runs/mvp")
    (tmp_path / "mine" / "first").mkdir(parents=True)
    with pytest.raises(RequestError, match=r"no model 'mine/frist': mine/ holds first\. Give one of these"):
        models.load("mine/frist")
    with pytest.raises(RequestError, match=r"a hub name, and huggingface\.co cannot be reached .*: give a folder"):
        models.load("nobody/no-such-model")


def test_an_empty_folder_and_an_absent_hub_name_offline_are_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name, hint in ((str(tmp_path), "model: "), ("nobody/no-such-model", r"model \(no such folder here, so")):
        with pytest.raises(RequestError, match=f"cannot be loaded as a {hint}") as error:
            models.load(name)
        assert "\n" not in str(error.value)
