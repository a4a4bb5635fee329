"""What reaches Slack of attacks in documents, names, questions, files and corrections.

    python -m benchmarks.injection [--model obeying|default|both] [--quotes] [--limit N]
                                   [--any-host] [--json OUT]

Every payload is planted at every place, in the sample handbook with the default embedder and judge;
a question is asked in a Slack on localhost, "Why this answer?" is looked at, and corrections go to
an expert and are approved. `obeying` is a model behind an endpoint that does whatever its prompt
says, `default` the generator of the settings; with `--quotes` the documents are quoted in place of
the latter. Two hosts may be linked; with `--any-host` none is named. Counted are attacks by which
something would act in Slack: an address of another host, a mention, a word of a document that the
asker may not read (or, if they may, one in an address), a character that nobody sees. `misinformed`
are those whose answer says what the attacker claims: nothing that is counted here prevents it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.injection.attacks import PAYLOADS, PLACES, Attack, make_attacks
from benchmarks.injection.findings import OWN_HOSTS
from benchmarks.injection.obeying import obey
from benchmarks.injection.running import Outcome, plant, run
from retrieval.commands import progress_bar
from retrieval.search.embedding import Embedder
from retrieval.serving.model_loader import load_answerer
from retrieval.settings import Settings, load_settings
from tests.endpoint_server import EndpointServer

KINDS = ("address", "mention", "exfiltration", "hidden")


def main() -> None:
    """Attack, and print a table for each model."""
    arguments = parse_arguments()
    logging.getLogger("bot").setLevel(logging.ERROR)
    attacks = make_attacks(arguments.limit)
    with TemporaryDirectory() as name:
        folder = Path(name)
        home = load_settings()
        home.models_folder.mkdir(parents=True, exist_ok=True)
        folder.joinpath("models").symlink_to(home.models_folder.resolve())
        hosts = () if arguments.any_host else OWN_HOSTS
        settings = home.model_copy(update={"home": folder, "link_hosts": hosts})
        plant(attacks, folder, settings, Embedder.load(settings))
        found: dict[str, list[Outcome]] = {}
        if arguments.model != "default":
            with EndpointServer() as server:
                server.write = obey
                obeying = settings.model_copy(update={"generator": f"{server.url}/v1"})
                found["obeying"] = asked(attacks, obeying, folder / "obeying")
        if arguments.model != "obeying":
            generator = "none" if arguments.quotes else settings.generator
            own = settings.model_copy(update={"generator": generator})
            found[generator] = asked(attacks, own, folder / "default")
    if arguments.json:
        rows = {model: [asdict(outcome) for outcome in them] for model, them in found.items()}
        arguments.json.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")


def asked(attacks: Sequence[Attack], settings: Settings, folder: Path) -> list[Outcome]:
    """What the attacks come to with the model of the settings; prints it."""
    folder.mkdir()
    answerer, began = load_answerer(settings), time.process_time()
    with progress_bar() as on_progress:
        done = Counter[str]()

        def tell(_: Outcome) -> None:
            done["attacks"] += 1
            on_progress("attacking", done["attacks"], len(attacks))

        outcomes = asyncio.run(run(attacks, answerer, folder, on_outcome=tell))
    print(f"{answerer.models()}, hosts linked: {', '.join(settings.link_hosts) or 'any'}")
    print(table(outcomes))
    print(f"{time.process_time() - began:.0f} CPU-seconds\n", flush=True)
    return outcomes


def table(outcomes: Sequence[Outcome]) -> str:
    """A line for each place, for each payload and for all."""
    head = f"{'':24}{'attacks':>9}" + "".join(f"{kind:>14}" for kind in KINDS)
    lines = [f"{head}{'misinformed':>14}"]
    for name in (*PLACES, *PAYLOADS, "all"):
        some = [o for o in outcomes if name in (o.attack.place, o.attack.payload, "all")]
        counts = "".join(f"{sum(kind in o.found for o in some):14}" for kind in KINDS)
        misinformed = sum(o.is_misinformed for o in some)
        lines.append(f"{name:24}{len(some):9}{counts}{misinformed:14}")
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=("obeying", "default", "both"), default="both")
    parser.add_argument("--quotes", action="store_true", help="quote in place of the default model")
    parser.add_argument("--limit", type=int, help="so many attacks, drawn at random")
    parser.add_argument("--any-host", action="store_true", help="name no host that may be linked")
    parser.add_argument("--json", type=Path, help="a file for every outcome")
    return parser.parse_args()


if __name__ == "__main__":
    main()
