"""Whether a model reads what it is shown: template, tokens, pixels, order and positions against its own processor."""

from __future__ import annotations

from collections.abc import Callable

import torch

from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.doctor.check import Check
from reelgym.doctor.subject import FRAMES, IMAGES, Subject
from reelgym.models import official, stated
from reelgym.models.family import Prompt
from reelgym.models.prompts import render

SIDES = ((20, 30), (100, 140), (480, 854), (1080, 1920), (2160, 3840))
"""Heights and widths at which pixel limits are compared."""
PATCH_LIMIT = 1e-5
"""Of one value of a patch, which lies within about 2.7. Ours: the same arithmetic in the same order."""


def checks() -> dict[str, Callable[[Subject], Check]]:
    """Return the checks by name, in their order."""
    return {
        "chat template": template,
        "pictures shown": shown,
        "pixel limits": pixel_limits,
        "order of pictures": order,
        "patches": patches,
        "frames of a clip": frames,
        "tokens": tokens,
        "positions": positions,
        "positions of transformers": stock_positions,
        "times of a clip": times,
        "rate of a clip": rate,
        "placeholders": placeholders,
    }


def template(subject: Subject) -> Check:
    """Return whether the template ends where the assistant writes, and ends what it wrote as sampling does."""
    policy, name = subject.policy, "chat template"
    asked = (Message("user", (Text("What is it?"),)),)
    plain = render(policy.tokenizer, asked, generate=False)
    open_ended = render(policy.tokenizer, asked, generate=True)
    added = open_ended.removeprefix(plain)
    if not open_ended.startswith(plain) or "assistant" not in added.lower():
        return Check(
            name,
            False,
            f"no generation prompt: with add_generation_prompt the text grows by {added!r} and never names the "
            "assistant, so that the model would go on with the user's turn; take the model's own chat_template",
        )
    reply = "It is red."
    end = str(policy.tokenizer.convert_ids_to_tokens(policy.end_id))
    whole = render(policy.tokenizer, (*asked, Message("assistant", (Text(reply),))), generate=False)
    if reply + end not in whole:
        return Check(name, False, f"an assistant's turn does not end with {end} in it, which is what is trained")
    if policy.end_id not in policy.eos_ids:
        ids = sorted(policy.eos_ids)
        return Check(name, False, f"{end} ({policy.end_id}) is not among the ids that end sampling, {ids}")
    return Check(name, True, f"ends with {added!r}; {end} ends a turn and sampling")


def shown(subject: Subject) -> Check:
    """Return whether every image and clip of a prompt reaches the model."""
    grids, kinds = subject.prompt.grids, subject.policy.family.kinds
    found = {kind: len(grids[kind]) if kind in grids else 0 for kind in kinds}
    wanted = {kind: 1 if kind == "video" else len(IMAGES) + ("video" not in kinds) for kind in kinds}
    told = ", ".join(f"{found[kind]} of {wanted[kind]} {kind}s" for kind in kinds)
    if found == wanted:
        return Check("pictures shown", True, f"{told} reach the model")
    return Check("pictures shown", False, f"dropped: only {told} reach the model")


def pixel_limits(subject: Subject) -> Check:
    """Return whether pictures are resized as the model's own processor resizes them."""
    policy, told = subject.policy, []
    for height, width in SIDES:
        ours = policy.family.image_patches(height, width, policy.sizing)
        theirs = subject.official.count(height, width)
        if ours != theirs:
            limits = f"{policy.sizing.image_min_pixels} to {policy.sizing.image_max_pixels}"
            return Check(
                "pixel limits",
                False,
                f"a picture of {height} x {width} becomes {ours} patches here (pixel limits {limits}) and {theirs} by "
                "preprocessor_config.json: correct the limits in that file",
            )
        told.append(f"{height} x {width}: {ours}")
    return Check("pixel limits", True, f"patches as by the model's own processor ({', '.join(told)})")


def order(subject: Subject) -> Check:
    """Return whether candidates reach the model in the order in which they are shown."""
    nearest = []
    for patch in _parts(subject.prompt, Image):
        far = [_distance(patch, wanted) for wanted in _official_images(subject)]
        nearest.append(far.index(min(far)) + 1)
    right = nearest == list(range(1, len(IMAGES) + 1))
    seen = ", ".join(map(str, nearest))
    told = f"candidates 1 to {len(IMAGES)} are seen as {seen}"
    return Check("order of pictures", right, told if right else f"swapped: {told}")


def patches(subject: Subject) -> Check:
    """Return whether pictures are cut into the very values that the model's own processor makes."""
    pairs = zip(_parts(subject.prompt, Image), _official_images(subject), strict=True)
    return _apart("patches", [_distance(ours, theirs) for ours, theirs in pairs])


def frames(subject: Subject) -> Check:
    """Return whether the frames of a clip, all of a patch, are each cut as the same picture alone would be."""
    form, clip = subject.policy.family.pixels, next(p for p in subject.messages[0].parts if isinstance(p, Clip))
    (whole,) = _parts(subject.prompt, Clip)
    per_step = len(whole) * form.temporal // len(FRAMES)
    far = []
    for place, theirs in enumerate(subject.official.frames(subject.pixels(clip))):
        step, within = divmod(place, form.temporal)
        ours = whole[step * per_step : (step + 1) * per_step]
        alone = ours.view(per_step, 3, form.temporal, -1)[:, :, within]
        if len(theirs) != per_step:
            return Check(
                "frames of a clip", None, f"not compared: as a picture a frame is {len(theirs)} patches, not {per_step}"
            )
        far.append(float((alone - theirs.view(per_step, 3, form.temporal, -1)[:, :, within]).abs().max()))
    return _apart("frames of a clip", far)


def tokens(subject: Subject) -> Check:
    """Return whether a prompt of pictures has the ids that template, tokenizer and processor give together."""
    policy, prompt = subject.policy, subject.policy.encode(subject.still, subject.pixels)
    text = render(policy.tokenizer, subject.still, generate=True)
    pieces = text.split(policy.family.shown["image"])
    wanted = pieces[0]
    parts = [part for part in subject.still[0].parts if isinstance(part, Image)]
    for part, piece in zip(parts, pieces[1:], strict=True):
        wanted += subject.official.text(subject.pixels(part)[0]) + piece
    ids = policy.tokenizer(wanted, add_special_tokens=False)["input_ids"]
    if ids == prompt.ids.tolist():
        return Check("tokens", True, f"{len(ids)} ids as by the model's own tokenizer and processor")
    place = next(
        (i for i, pair in enumerate(zip(ids, prompt.ids.tolist(), strict=False)) if pair[0] != pair[1]),
        min(len(ids), len(prompt)),
    )
    return Check("tokens", False, f"{len(prompt)} ids here, {len(ids)} by the processor; they part at {place}")


def positions(subject: Subject) -> Check:
    """Return whether the tokens of a prompt stand where the rule says, worked out token by token."""
    prompt, policy = subject.prompt, subject.policy
    rule = policy.position_rule
    wanted = _by_rule(subject)
    if torch.equal(wanted, prompt.positions):
        return Check(
            "positions", True, f"{len(prompt)} tokens placed by the rule {rule}; the largest is {wanted.max()}"
        )
    place = int((wanted != prompt.positions).any(0).nonzero()[0])
    where = prompt.positions[:, place].tolist(), wanted[:, place].tolist()
    return Check(
        "positions",
        False,
        f"wrong position rule: token {place} stands at {where[0]} and by {rule} belongs at {where[1]}",
    )


def stock_positions(subject: Subject) -> Check:
    """Tell whether the installed transformers, left to itself, places tokens as the model is trained here."""
    import transformers

    step = [float(subject.policy.family.pixels.temporal)]
    name = f"transformers {transformers.__version__} left to itself"
    found = official.stock_positions(subject.policy, subject.prompt, step)
    if torch.equal(found, subject.prompt.positions):
        return Check("positions of transformers", None, f"{name} places a clip and what follows as here")
    still = subject.policy.encode(subject.still, subject.pixels)
    if not torch.equal(official.stock_positions(subject.policy, still, []), still.positions):
        return Check("positions of transformers", False, f"{name} places pictures otherwise, where no rules differ")
    apart = int((found - subject.prompt.positions).abs().max())
    told = f"{name} places what follows a clip up to {apart} positions away from here"
    return Check("positions of transformers", None, f"{told}: hand it our positions, or serve with vLLM")


def times(subject: Subject) -> Check:
    """Return whether a clip is told its times as transformers would tell them."""
    if subject.policy.timestamps != "true":
        return Check("times of a clip", None, "hidden")
    seconds = [float(second) for second in range(len(FRAMES))]
    ours, theirs = official.stock_times(subject.policy, subject.prompt, seconds)
    told = f"frames at {', '.join(f'{second:g}' for second in seconds)} s are told as {', '.join(ours)}"
    return Check("times of a clip", ours == theirs, told + ("" if ours == theirs else f", not {', '.join(theirs)}"))


def rate(subject: Subject) -> Check:
    """Tell the frame rate and counts that the model's files state for whole videos: a prompt names its own frames."""
    told = stated.rates(stated.read(subject.folder))
    own = "every prompt names its own frames (FrameSpec: --fps and the settings of a task), at their true times"
    return Check("rate of a clip", None, f"its files state {stated.listed(told) if told else 'none'}; {own}")


def placeholders(subject: Subject) -> Check:
    """Return whether the tower gives one feature for every placeholder."""
    told = []
    for kind, token in subject.policy.placeholder_ids.items():
        wanted, found = int((subject.prompt.ids == token).sum()), subject.features.count(kind)
        if wanted != found:
            return Check("placeholders", False, f"{wanted} {kind} placeholders and {found} features")
        told.append(f"{found} of {kind}s")
    return Check("placeholders", True, f"features equal placeholders: {', '.join(told)}")


def _parts(prompt: Prompt, wanted: type[Image] | type[Clip]) -> list[torch.Tensor]:
    """Return the patches of each image, or of each clip, of a prompt."""
    cut = {
        kind: iter(torch.split(prompt.patches[kind], prompt.grids[kind].prod(1).tolist())) for kind in prompt.patches
    }
    found = []
    for part in (part for message in prompt.messages for part in message.parts if not isinstance(part, Text)):
        kind = "video" if isinstance(part, Clip) and "video" in cut else "image"
        patches = next(cut[kind])
        found += [patches] if isinstance(part, wanted) else []
    return found


def _official_images(subject: Subject) -> list[torch.Tensor]:
    parts = [part for part in subject.still[0].parts if isinstance(part, Image)]
    return [subject.official.patches(subject.pixels(part)[0])[0] for part in parts]


def _distance(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).abs().max()) if ours.shape == theirs.shape else float("inf")


def _apart(name: str, far: list[float]) -> Check:
    most = max(far)
    told = f"largest difference to the model's own processor {most:.1e} over {len(far)}, allowed {PATCH_LIMIT:.0e}"
    return Check(name, most <= PATCH_LIMIT, told)


def _by_rule(subject: Subject) -> torch.Tensor:
    """Return (3, P): every block at the largest position so far plus one, one token after the other."""
    policy, prompt = subject.policy, subject.prompt
    if policy.family.axes == 1:
        return torch.tensor([[place] * 3 for place in range(len(prompt))]).T
    merge, spaced = policy.family.pixels.merge, policy.family.times_are_spaced
    kinds = {number: kind for kind, number in policy.placeholder_ids.items()}
    waiting = {kind: _grids(prompt.grids[kind].tolist(), split=kind == "video" and not spaced) for kind in prompt.grids}
    per_second = float(getattr(policy.model.config.vision_config, "tokens_per_second", 0))
    apart = per_second * policy.family.pixels.temporal if policy.timestamps == "true" else 1.0
    found: list[tuple[int, int, int]] = []
    largest, place = -1, 0
    while place < len(prompt):
        start = largest + 1
        kind = kinds.get(int(prompt.ids[place]))
        if kind is None:
            block = [(start, start, start)]
        else:
            steps, rows, columns = waiting[kind].pop(0)
            block = [
                (start + int(step * apart + 1e-6), start + row, start + column)
                for step in range(steps)
                for row in range(rows // merge)
                for column in range(columns // merge)
            ]
        found += block
        largest = max(largest, *(max(token) for token in block))
        place += len(block)
    return torch.tensor(found).T


def _grids(grids: list[list[int]], *, split: bool) -> list[list[int]]:
    """Return grids as they stand in the prompt: each temporal step for itself where times stand between them."""
    return [[1, rows, columns] for steps, rows, columns in grids for _ in range(steps)] if split else grids
