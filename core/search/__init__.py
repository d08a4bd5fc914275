"""Evidence: sentences, embedders, the index and the search over it."""

from core.search.embedders import Embedder, load_embedder
from core.search.index import Index, open_index, open_searcher
from core.search.preflight import Finding, check, examine
from core.search.prepare import Prepared, prepare
from core.search.sentences import split_sentences
from core.search.terms import sparse_terms

__all__ = [
    "Embedder",
    "Finding",
    "Index",
    "Prepared",
    "check",
    "examine",
    "load_embedder",
    "open_index",
    "open_searcher",
    "prepare",
    "sparse_terms",
    "split_sentences",
]
