from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reelgym.models import tiny

Cli = Callable[..., tuple[int, str, str]]


def test_train_and_eval_refuse_a_model_that_is_not_right_unless_told_to(
    cli: Cli, puzzles: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    tiny.build("qwen2_5_vl").save(model)
    path = model / "chat_template.jinja"
    path.write_text(path.read_text().partition("{%- if add_generation_prompt -%}")[0])
    train = ("train", "mvp", "--data", puzzles, "--model", model, "--out", tmp_path / "run", "steps=1")
    measure = ("eval", puzzles, "--model", model, "--out", tmp_path / "ev", "--limit", 1, "--max-tokens", 2)
    for command in (train, measure):
        code, _, err = cli(*command)
        assert code == 1
        assert "fails a check: chat template: no generation prompt" in err
        assert f"reelgym doctor --model {model}; --unsafe goes on nevertheless" in err
    assert not (tmp_path / "run").exists()
    assert cli(*measure, "--unsafe")[0] == 0
    code, out, _ = cli("doctor", "--model", model, "--quick")
    assert code == 1
    assert out.splitlines()[-1] == f"next: mend what failed, then reelgym doctor --model {model}"
