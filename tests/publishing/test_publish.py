"""A run becomes a folder that stock transformers serves with our log-probs, and a card that says what is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from sharp_policies import merged_twice
from transformers import AutoModelForImageTextToText, AutoTokenizer
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from reelgym import models
from reelgym.cli import run as command
from reelgym.doctor import local, pictures
from reelgym.errors import RequestError, WorkError
from reelgym.models import merging, tiny
from reelgym.models.base import Policy
from reelgym.publishing import card, folder, hub, retention
from reelgym.training import weights
from reelgym.training.config import RLConfig


@pytest.fixture(scope="module", params=["qwen2_5_vl", "qwen3_vl"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run under LoRA as training leaves it, its adapter far from nothing."""
    root = tmp_path_factory.mktemp("run")
    tiny.build(request.param, seed=2).save(root / "base")
    policy = models.load(root / "base")
    config = RLConfig(lora_rank=4)
    weights.prepare(policy, config)
    generator = torch.Generator().manual_seed(0)
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=generator) * 0.01
    step = root / "run" / "checkpoints" / "step-3"
    step.mkdir(parents=True)
    weights.save(policy, config, step)
    about = {"type": "RLRun", "policy": str(root / "base"), "variant": "tagged", "data": {"digest": "abc", "items": 9}}
    (root / "run" / "config.json").write_text(json.dumps(about))
    best = {"checkpoint": "step-3", "metric": "eval/score", "value": 0.5, "untrained": 0.25}
    (root / "run" / "checkpoints" / "best.json").write_text(json.dumps(best))
    return root / "run"


@pytest.fixture(scope="module")
def published(trained: Path) -> folder.Published:
    made = folder.publish(str(trained), trained.parent / "given")
    card.write(made, trained, licence="apache-2.0")
    return made


def logprobs_of_stock(place: Path, question: str, number: str) -> tuple[list[int], torch.Tensor]:
    """Return ids and their log-probs by nothing but transformers: tokenizer, processor, model, positions."""
    tokenizer = AutoTokenizer.from_pretrained(place)
    picture = pictures.draw(number, 8)
    made = Qwen2VLImageProcessorPil.from_pretrained(place)(
        images=[picture], return_tensors="pt", input_data_format="channels_last"
    )
    content = [{"type": "image"}, {"type": "text", "text": question}]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    count = int(made["image_grid_thw"].prod()) // 4
    ids = tokenizer(text.replace("<|image_pad|>", "<|image_pad|>" * count), add_special_tokens=False)["input_ids"]
    model = AutoModelForImageTextToText.from_pretrained(place, dtype=torch.float32)
    kinds = (torch.tensor([ids]) == model.config.image_token_id).int()
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids]), mm_token_type_ids=kinds, **made).logits[0]
    return ids, logits[:-1].log_softmax(-1).gather(-1, torch.tensor(ids)[1:, None])[:, 0]


def logprobs_of_ours(policy: Policy, question: str, number: str) -> tuple[list[int], torch.Tensor]:
    prompt = policy.encode(pictures.user(pictures.image(number), question), pictures.pixels_at(8))
    with torch.no_grad():
        output = policy.hidden(prompt.ids[None], prompt.positions[:, None], features=policy.features([prompt]))
        logits = policy.logits(output.last_hidden_state)[0]
    return prompt.ids.tolist(), logits[:-1].log_softmax(-1).gather(-1, prompt.ids[1:, None])[:, 0]


def test_stock_transformers_gives_our_log_probs_on_the_published_folder(published: folder.Published) -> None:
    ids, stock = logprobs_of_stock(published.folder, "What is drawn?", "42")
    own_ids, ours = logprobs_of_ours(models.load(published.folder), "What is drawn?", "42")
    assert ids == own_ids
    torch.testing.assert_close(stock, ours, atol=1e-5, rtol=0)
    assert published.stock <= 1e-5 and published.merging is not None and published.merging <= 1e-4


def test_the_folder_holds_sixteen_bits_of_base_plus_adapter(trained: Path, published: folder.Published) -> None:
    stored = load_file(published.folder / "model.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.bfloat16}
    policy = models.load(str(trained))
    added = merging.deltas(policy.model)
    before = load_file(trained.parent / "base" / "model.safetensors")
    assert len(added) == published.layers > 20
    for name, delta in added.items():
        end = name.rpartition("language_model.")[2] + ".weight"  # Releases put different words before it.
        (new,), (old,) = ([value for key, value in one.items() if key.endswith(end)] for one in (stored, before))
        torch.testing.assert_close(new, (old + delta).bfloat16(), atol=0, rtol=0)
    assert not merging.adapted(models.load(published.folder).model)


def test_doctor_passes_the_folder_and_finds_an_adapter_merged_twice(
    trained: Path, published: folder.Published, tmp_path: Path
) -> None:
    found = {check.name: check for check in local.checks(str(published.folder), quick=True)}
    assert found["as published"].passed and not [one for one in found.values() if one.passed is False]
    policy = models.load(published.folder)
    added = merging.deltas(models.load(str(trained)).model)
    with torch.no_grad():
        for name, delta in added.items():
            policy.model.get_submodule(name).weight += delta
    wrong = tmp_path / "wrong"
    policy.save(wrong)
    (wrong / "reelgym.json").write_bytes((published.folder / "reelgym.json").read_bytes())
    (wrong / "adapter").mkdir()
    for path in (published.folder / "adapter").iterdir():
        (wrong / "adapter" / path.name).write_bytes(path.read_bytes())
    failed = {check.name: check.found for check in local.checks(str(wrong), quick=True) if check.passed is False}
    assert list(failed) == ["as published"]
    assert failed["as published"].startswith("merged twice: ")


def test_the_card_says_where_it_comes_from_and_what_is_not_known(trained: Path, published: folder.Published) -> None:
    text = (published.folder / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: transformers\n") and "license: apache-2.0" in text
    for word in (str(trained.parent / "base"), "`abc`", "0.25 before, 0.5 after", "## Settings", "Position rule"):
        assert word in text
    later = "as in training" if published.clips_as_trained else "hand it Reelgym's `position_ids`"
    assert later in text
    assert f"| Base | {published.before.told()} |" in text if published.before else False
    unknown = card.write(published, trained)
    assert "license_name: unknown" in unknown.read_text()


def test_an_evaluation_stands_in_the_card_with_its_floors(
    trained: Path, published: folder.Published, tmp_path: Path
) -> None:
    score = {"mean": 0.5, "low": 0.4, "high": 0.6, "chance": 0.1}
    one = {
        "model": "m",
        "probe": None,
        "scores": {"value": score},
        "invalid_rate": {"mean": 0.0},
        "rows": 7,
        "videos": 3,
    }
    floor = one | {"model": "", "scores": {"value": score | {"low": None}}}
    (tmp_path / "results.json").write_text(json.dumps({"evaluations": {"tagged": one, "floor-random": floor}}))
    text = card.write(published, trained, evaluations=[tmp_path]).read_text()
    assert "| tagged | m | 0.500 (0.400 to 0.600) | 0.100 | 0.000 | 7 | 3 |" in text
    assert "| floor-random | none | 0.500 | 0.100 | 0.000 | 7 | 3 |" in text
    with pytest.raises(RequestError, match="give the folder of an evaluation"):
        card.write(published, trained, evaluations=[trained])


def test_a_merge_that_changes_the_model_is_not_published(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "merge", merged_twice)
    with pytest.raises(WorkError, match=r"the folded weights and the adapter differ by .* nothing was published"):
        folder.publish(str(trained), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


class Hub:
    """Remembers what was asked of the hub."""

    calls: list[tuple[str, dict[str, Any]]] = []  # noqa: RUF012 - one for all, cleared by the test

    def create_repo(self, name: str, **how: Any) -> str:
        self.calls.append((name, how))
        return f"https://hub/{name}"

    def upload_folder(self, **how: Any) -> None:
        self.calls.append(("upload", how))


def test_a_run_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    for name in ("runs/none", "who/ever", "runs/none@step-3"):
        with pytest.raises(RequestError, match=f"no run '{name}': give a folder that `reelgym train` wrote"):
            folder.publish(name, tmp_path / "out")


def test_nothing_is_pushed_without_the_flag_and_private_by_default(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    Hub.calls.clear()
    out = str(tmp_path / "out")
    assert command(["publish", str(trained), "--out", out, "--push", "me/it"]) == 2
    assert "licence is not known here" in capsys.readouterr().err
    assert command(["publish", str(trained), "--out", out]) == 0 and Hub.calls == []
    assert f"next: reelgym doctor --model {out}" in capsys.readouterr().out
    assert command(["publish", str(trained), "--out", out]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert hub.push(Path(out), "me/it") == "https://hub/me/it"
    assert [how.get("private") for _, how in Hub.calls] == [True, None]
    with pytest.raises(RequestError, match="give OWNER/NAME"):
        hub.push(Path(out), "it")


def test_ordinary_questions_are_right_by_whole_words() -> None:
    assert retention.holds("The answer is Seven.", ("7", "seven")) and not retention.holds("It is 72.5", ("72",))
    assert not retention.holds("17", ("7",)) and retention.holds("0.9 is larger", ("0.9",))
