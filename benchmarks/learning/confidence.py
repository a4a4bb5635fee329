"""What fitting the confidence to a company's ratings gains, on questions that nobody rated.

    WHIMBREL_THRESHOLD=0 python -m benchmarks.natural FOLDER NQ.jsonl --json ANSWERS.json
    python -m benchmarks.learning.confidence ANSWERS.json NQ.jsonl [--threshold T]

ANSWERS.json has what the bot would say to every question were it never silent. A seed splits the
questions in halves. Simulated people rate the answers that the served threshold gives to the first
half, each as good if it is right; an expert says of a silence whether the right document was found.
`--noise` of all this is turned round, once for each of N ratings, several falling on one question
where there are more ratings than questions. The first half's ratings are fitted to; the second half
is measured before and after: `useful` and the count of false answers. `forced` is the fit itself;
`kept` is what `train confidence` leaves, which is what served unless the gate has passed the fit.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from benchmarks.natural import NaturalQuestion, question_of
from retrieval.answering.judge import BEST_READ, Judge, find_judge
from retrieval.jsonl import read_rows
from retrieval.records import Hit, Passage, Source
from training.classifiers.confidence import RatedRows, try_confidence
from training.classifiers.judge_fit import JudgeRow, confidence

NOISES = (0.0, 0.1, 0.3, 0.5)
RATINGS = (20, 50, 100)
DECIDED = 0.6
"""As `whimbrel export` has it: the balance of votes, -1 to 1, from which an answer is rated."""

_PASSAGE = Passage("p", Source("d", "", "", "en", "", ""), "text", 0, 4)


@dataclass(frozen=True)
class Said:
    """A question, how sure the judge was, and what came of answering it all the same."""

    question: NaturalQuestion
    confidence: float
    verdict: str
    is_found: bool

    def row(self, *, is_right: bool) -> JudgeRow:
        """The question as something to fit to: all that a fit looks at is the confidence."""
        text = self.question.text
        hits = (Hit(_PASSAGE, 1.0),)
        return JudgeRow(text, "nq", text, hits, 0.8, is_right, reads=(self.confidence,))


def read_said(answers: Path, questions: Path) -> list[Said]:
    """What `benchmarks.natural` wrote, beside the questions."""
    asked = {question.id: question for question in read_rows(questions, question_of)}
    said = []
    for row in json.loads(answers.read_text("utf-8"))["answers"]:
        question = asked[row["_id"]]
        is_found = any(s.endswith(d) for s in row["citations"] for d in question.documents)
        said.append(Said(question, row["confidence"], row["verdict"], is_found))
    return said


def rated(
    said: Sequence[Said], judge: Judge, ratings: int, noise: float, random: np.random.Generator
) -> list[JudgeRow]:
    """What so many ratings say of the answers, and of the silences, that serve."""
    votes: list[list[bool]] = [[] for _ in said]
    for n in range(ratings):
        spoken = said[n % len(said)]
        is_answer = spoken.confidence >= judge.threshold
        is_right = spoken.verdict == "right" if is_answer else spoken.is_found
        votes[n % len(said)].append(bool(is_right != (random.random() < noise)))
    return [
        spoken.row(is_right=fmean(cast) > 1 / 2)
        for spoken, cast in zip(said, votes, strict=True)
        if cast and abs(2 * fmean(cast) - 1) >= DECIDED
    ]


def measured(said: Sequence[Said], judge: Judge) -> tuple[float, int]:
    """The useful share, and how many questions without an answer are answered."""
    spoke = [confidence(judge, s.row(is_right=True)) >= judge.threshold for s in said]
    pairs = list(zip(said, spoke, strict=True))
    useful = [
        s.verdict == "right" if is_given else s.question.is_unanswerable for s, is_given in pairs
    ]
    return fmean(useful), sum(s.verdict == "false" and is_given for s, is_given in pairs)


def main() -> None:
    """Print a line for each noise and number of ratings."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("answers", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--threshold", type=float, help="as if another one than the judge's served")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    threshold = options.threshold or find_judge(Path(), can_read=True).threshold
    served = Judge({BEST_READ: 1.0}, 0.0, threshold, 0.8, "recorded", "recorded")
    said = read_said(options.answers, options.questions)
    best = max(measured(said, served.with_threshold(s.confidence))[0] for s in said)
    print(f"{len(said)} questions; no threshold makes more than {best:.3f} of them useful")
    print("noise ratings  served        forced        kept          passed")
    for noise in NOISES:
        for ratings in RATINGS:
            print(_line(said, served, noise, ratings, options.seeds), flush=True)


def _line(said: Sequence[Said], served: Judge, noise: float, ratings: int, seeds: int) -> str:
    outcomes: dict[str, list[tuple[float, int]]] = {"served": [], "forced": [], "kept": []}
    passed = 0
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        order = random.permutation(len(said))
        first, second = (
            [said[n] for n in half] for half in (order[: len(said) // 2], order[len(said) // 2 :])
        )
        rows = rated(first, served, ratings, noise, random)
        known = RatedRows(rows, [row.question for row in rows])
        tried = try_confidence(served, served, known, seed=seed)
        passed += tried.decision.is_passed
        judges = {"served": served, "forced": tried.fit.applied(served), "kept": tried.judge}
        for name, judge in judges.items():
            outcomes[name].append(measured(second, judge))
    cells = [
        f"{fmean(u for u, _ in found):.3f} ({fmean(f for _, f in found):.1f} false)"
        for found in outcomes.values()
    ]
    return f"{noise:5.1f} {ratings:7}  " + " ".join(f"{c:17}" for c in cells) + f" {passed}/{seeds}"


if __name__ == "__main__":
    main()
