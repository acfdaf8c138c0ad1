"""What compression tells about data: distances, labels, a choice of documents, a trend over time.

All of it rests on code lengths, C(x), the bits that x takes, and C(x|y), the bits that it takes
once y was read (`llmzip.similarity.codelength`).

    from llmzip.similarity import Document, code_length, distances

    texts = [Document("a", b"..."), Document("b", b"...")]
    found = distances(texts, code_length("cm", level=6, samples=[text.data for text in texts]))
    print(found.ncd[0][1], found.tree)
"""

from __future__ import annotations

from llmzip.similarity.classification import Accuracy, Label, classify, leave_one_out
from llmzip.similarity.codelength import CodeLength, State, code_length
from llmzip.similarity.dendrogram import Cluster, upgma
from llmzip.similarity.distance import Distances, distances
from llmzip.similarity.documents import Document, pool
from llmzip.similarity.selection import Choice, Selection, select
from llmzip.similarity.trend import Dated, Period, Trend, trend

__all__ = [
    "Accuracy",
    "Choice",
    "Cluster",
    "CodeLength",
    "Dated",
    "Distances",
    "Document",
    "Label",
    "Period",
    "Selection",
    "State",
    "Trend",
    "classify",
    "code_length",
    "distances",
    "leave_one_out",
    "pool",
    "select",
    "trend",
    "upgma",
]
