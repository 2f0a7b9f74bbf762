"""The nearest of many unit vectors, by FAISS: all compared up to a size, a graph (HNSW) above.

Belongs here: vectors and places. Does not belong here: whose vectors they are (see `index`).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from lead_assets.lookalike.words import Floats

Places = npt.NDArray[np.int64]

_LINKS = 32
_BUILD_EFFORT = 64
_SEARCH_EFFORT = 96
_SAME_DIGITS = 5
_AT_ONCE = 512
"""Vectors that one thread asks about at a time. Not by the number of cores: the last digits of a product depend on what is multiplied together."""
_MATRIX_FROM = 16
"""Vectors from which FAISS compares by matrix products. By itself it begins at two thousand, and takes 2.5 times as long below that."""


class Nearest:
    """`graph`: a FAISS index of different vectors. `members`: the places of their records, one vector after another; `starts`: where each vector's begin.

    Equal vectors are one vector of the graph: 2,000 copies of one lead among 600 others had each other as their only links, and half of the others were
    never found.
    """

    def __init__(self, graph: Any, members: Places, starts: Places) -> None:
        self.graph, self.members, self.starts = graph, members, starts
        self._several = len(members) > len(starts)
        self._sizes = np.diff(np.append(starts, len(members)))

    def __len__(self) -> int:
        return len(self.members)

    def search(self, vectors: Floats, k: int) -> tuple[Floats, Places]:
        """(similarity, place): rows × min(k, records), nearest first; NaN and -1 where fewer were found."""
        wanted = min(k, len(self.starts))
        if wanted == 0 or not len(vectors):
            return np.empty((len(vectors), 0), dtype=np.float32), np.empty((len(vectors), 0), dtype=np.int64)
        similarity, found = _searched(self.graph, vectors, wanted)
        # Float32 gives a vector and itself 1.0000001.
        np.clip(similarity, -1.0, 1.0, out=similarity)
        if self._several:
            return self._spread(similarity, found, min(k, len(self.members)))
        place = self.members[found]
        if (missed := found < 0).any():
            similarity[missed], place[missed] = np.nan, -1
        return similarity, place

    def _spread(self, similarity: Floats, found: Places, width: int) -> tuple[Floats, Places]:
        """Each vector as all its records."""
        near, place = np.full((len(found), width), np.nan, dtype=np.float32), np.full((len(found), width), -1, dtype=np.int64)
        for row, vectors in enumerate(found):
            vectors = vectors[vectors >= 0]
            sizes = np.minimum(self._sizes[vectors], width)
            ends = sizes.cumsum()
            within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes, sizes)
            records = self.members[np.repeat(self.starts[vectors], sizes) + within][:width]
            place[row, : len(records)] = records
            near[row, : len(records)] = np.repeat(similarity[row, : len(vectors)], sizes)[:width]
        return near, place


def indexed(vectors: Floats, places: Places, *, exact: bool) -> Nearest:
    """An index of `vectors`, which are those of the records at `places`."""
    import faiss

    width = vectors.shape[1]
    if exact:
        graph: Any = faiss.IndexFlatIP(width)
        graph.add(np.ascontiguousarray(vectors))
        return Nearest(graph, places, np.arange(len(places)))
    graph = faiss.IndexHNSWFlat(width, _LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = _BUILD_EFFORT
    graph.hnsw.efSearch = _SEARCH_EFFORT
    _, first, group = np.unique(vectors.round(_SAME_DIGITS), axis=0, return_index=True, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    graph.add(np.ascontiguousarray(vectors[first]))
    return Nearest(graph, places[order], np.searchsorted(group.ravel()[order], np.arange(len(first))))


def _searched(graph: Any, vectors: Floats, wanted: int) -> tuple[Floats, Places]:
    """FAISS's search, in parts, each on one thread of ours. FAISS's own threads wait for each other by spinning: on a busy machine they took two to five times
    as long, and twice the processor time."""
    if len(vectors) <= _AT_ONCE:
        return _on_one_thread(graph, vectors, wanted)
    parts = [vectors[start : start + _AT_ONCE] for start in range(0, len(vectors), _AT_ONCE)]
    with ThreadPoolExecutor(min(len(parts), os.cpu_count() or 1)) as pool:
        found = list(pool.map(lambda part: _on_one_thread(graph, part, wanted), parts))
    return np.concatenate([similarity for similarity, _ in found]), np.concatenate([places for _, places in found])


def _on_one_thread(graph: Any, vectors: Floats, wanted: int) -> tuple[Floats, Places]:
    import faiss

    faiss.cvar.distance_compute_blas_threshold = _MATRIX_FROM
    usual = faiss.omp_get_max_threads()  # of this thread alone
    faiss.omp_set_num_threads(1)
    try:
        similarity, places = graph.search(vectors, wanted)
    finally:
        faiss.omp_set_num_threads(usual)
    return similarity, places
