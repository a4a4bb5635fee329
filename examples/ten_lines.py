"""Index a folder, search it and ask it, from Python."""

from pathlib import Path

from retrieval import Documents, Settings

documents = Documents(Settings(home=Path("python-home"), generator="none"))
documents.index("examples/handbook/people")
for hit in documents.search("travel expenses", k=3):
    print(f"{hit.score:.2f}  {hit.passage.source.title}: {hit.passage.text[:60]!r}")
answer = documents.answer("How many days of annual leave do I get?")
print(answer.kind, answer.text)
for citation in answer.citations:
    print(f"[{citation.number}] {citation.passage.source.id}: {citation.quote}")
