"""Chat models: a prompt about one structure, read but not answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.models.base.checks import Refusal
from matteralign.models.families.text.language import LanguageWrapper
from matteralign.models.families.text.text import Encoded
from matteralign.models.prompts import read_prompt
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

_TODAY = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")
_PLACE = "<structure>"


class ChatWrapper(LanguageWrapper):
    """``last_hidden_state`` of a chat model's input, before anything is generated.

    The card's `prompt` gives a system message and the user's message about one structure; the
    checkpoint's own chat template writes them as the model was trained to read them.

    Options
    -------
    tokens
        Which positions are averaged. ``all``, the default: every token of the input, as the
        study says (all but padding); ``user``: the tokens of the user's message; ``content``:
        the tokens of the structure in it. A token that is partly outside counts.
    generation_prompt
        Whether the input ends with the words after which the model would answer; true.
    template
        Further variables of the chat template, such as ``reasoning_effort``; none.
    date
        What a template that writes today's date is told, so that latents do not change
        overnight; the day of the study.
    precision, cpu_precision, device_map, config, remote_code
        As in `LanguageWrapper`; precision on a GPU is ``bfloat16``.
    """

    family: ClassVar[str] = "chat"
    options_known: ClassVar[Mapping[str, Any]] = {
        **LanguageWrapper.options_known,
        "precision": "bfloat16",
        "generation_prompt": True,
        "template": {},
        "date": "2025-12-03",
    }
    pooled: ClassVar[tuple[str, ...]] = ("all", "user", "content")

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        self.prompt = read_prompt(card)
        super().__init__(card, files, device)
        self._template = self._dated(self.tokenizer.chat_template)
        # What the template writes around the user's message, whatever that is.
        before, place, after = self.render(_PLACE).partition(_PLACE)
        if not place or self.prompt.system not in before:
            raise MatterAlignError(
                f"card {card.key}: the chat template does not write the system message, or not "
                "before the user's"
            )
        self._around = before, after

    def packages(self) -> list[str]:
        return [*super().packages(), "ase", "jinja2"]

    def refuse_more(self, structure: Structure) -> Refusal | None:
        return self.prompt.refuse(structure) or super().refuse_more(structure)

    def render(self, user: str) -> str:
        """Return the whole input with `user` as the user's message."""
        messages = [
            {"role": "system", "content": self.prompt.system},
            {"role": "user", "content": user},
        ]
        text: str = self.tokenizer.apply_chat_template(
            messages,
            chat_template=self._template,
            tokenize=False,
            add_generation_prompt=bool(self.options["generation_prompt"]),
            **self.options["template"],
        )
        return text

    def encode(self, structure: Structure) -> Encoded:
        message = self.prompt.message(structure)
        text = self.render(message.text)
        before, after = self._around
        if text != before + message.text + after:
            raise MatterAlignError(
                f"card {self.card.key}: the chat template changes the user's message about "
                f"{structure.id!r}"
            )
        found = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, truncation=False
        )
        ids, offsets = found["input_ids"], found["offset_mapping"]
        start = len(before)
        spans = {
            "all": [(0, len(text))],
            "user": [(start, start + len(message.text))],
            "content": [(start + first, start + last) for first, last in message.spans],
        }[self.options["tokens"]]
        kept = [
            position
            for position, (first, last) in enumerate(offsets)
            if any(first < end and last > begin for begin, end in spans)
        ]
        return Encoded(ids, kept, self.missing(text, ids, offsets))

    def _dated(self, template: str | None) -> str:
        if template is None:
            raise UserError(
                f"card {self.card.key}: the checkpoint has no chat template; a chat model has one "
                "in tokenizer_config.json or chat_template.jinja, to be a file of the card"
            )
        day = date.fromisoformat(str(self.options["date"]))
        return _TODAY.sub(lambda found: repr(day.strftime(found[2])), template)
