"""Draw which words of the passages a seq2seq run looks at as it writes an answer.

python -m examples.seq2seq.attention RUN QUESTION PICTURE
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import torch
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from transformers import AutoModelForSeq2SeqLM

from retrieval.answering.prompt import build_prompt
from retrieval.index.library import Library
from retrieval.index.served_embedder import load_embedder
from retrieval.language import language_of
from retrieval.llm.chat_format import ChatFormat, load_chat_format
from retrieval.registry.runs import MODEL, find_run, folder_of
from retrieval.settings import load_settings

SHOWN = 32
"""Words of the prompt in the picture: those that are looked at most, in their order."""


def attention(
    model: Any,  # noqa: ANN401  every model type has its own class
    chat_format: ChatFormat,
    prompt: str,
    *,
    most: int,
) -> tuple[list[str], list[str], torch.Tensor]:
    """What is written after a prompt, the prompt, and how far each token looked at each of those.

    The cross-attention of the last layer, the mean of its heads; each row adds up to 1.
    """
    read = torch.tensor([chat_format.read(prompt)])
    with torch.inference_mode():
        written = model.generate(read, attention_mask=torch.ones_like(read), max_new_tokens=most)
        made = model(input_ids=read, decoder_input_ids=written[:, :-1], output_attentions=True)
    looked = made.cross_attentions[-1][0].mean(dim=0)
    names = [
        [chat_format.decode([token]) for token in ids.tolist()] for ids in (written[0], read[0])
    ]
    return names[0][1:], names[1], looked


def drawn(text: str) -> str:
    """A text with dots for what the font of pictures lacks, such as Chinese."""
    known = get_font(findfont(FontProperties())).get_charmap()
    return "".join(letter if ord(letter) in known else "·" for letter in text)


def draw(path: Path, answer: list[str], read: list[str], looked: torch.Tensor, title: str) -> None:
    """Draw the tokens that are looked at most, beside those that were written."""
    shown = looked.sum(dim=0).topk(min(SHOWN, len(read))).indices.sort().values.tolist()
    figure = Figure(figsize=(11, 1.5 + 0.25 * len(answer)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(looked[:, shown].numpy(), cmap="Greys", aspect="auto", vmin=0)
    columns, rows = [drawn(read[n]) for n in shown], [drawn(name) or "(end)" for name in answer]
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=8, parse_math=False)
    axes.set_yticks(range(len(rows)), rows, fontsize=8, parse_math=False)
    axes.set(xlabel="read: question and passages, as far as looked at most", ylabel="written")
    axes.set_title(drawn(title), fontsize=9, parse_math=False)
    figure.savefig(path, dpi=120)


@click.command()
@click.argument("run")
@click.argument("question")
@click.argument("picture", type=click.Path(dir_okay=False, path_type=Path))
def main(run: str, question: str, picture: Path) -> None:
    settings = load_settings()
    folder = folder_of(settings.runs_folder, find_run(settings.runs_folder, run)) / MODEL
    chat_format = load_chat_format(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, attn_implementation="eager").eval()
    library = Library.load(settings, load_embedder(settings))
    prompt = build_prompt(
        question,
        library.searcher().search(question, k=settings.hits),
        language=language_of(question),
        count_tokens=chat_format.count_tokens,
        max_tokens=settings.prompt_tokens,
    )
    text = chat_format.render([("system", prompt.system), ("user", prompt.user)])
    answer, read, looked = attention(model, chat_format, text, most=settings.answer_tokens)
    draw(picture, answer, read, looked, question)
    click.echo("".join(answer))


if __name__ == "__main__":
    main()
