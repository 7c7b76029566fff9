"""Texts as arrays: reviews -> words -> documents, and which of them may be read for a pair of user and item.

    spans(text)     the words of a text and where they stand; a word after a negation is another word: "not good"
    Vocabulary      which words count, learned from training texts alone
    ReviewTable     the training reviews: the words of each, and the reviews of each user and of each item
"""

import collections
import re

import numpy as np

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_NEGATIONS = frozenset("not no never cannot without hardly".split())
_STOP = frozenset("""a about after again all also am an and any are as at be because been before being both but by can
    could did do does doing down during each few for from further get got had has have having he her
    here hers him his how i i'd i'll i'm i've if in into is it it's its just me more most my myself of
    off on once one only or other our out over own same she so some such than that that's the their
    them then there these they this those through to too two under until up us use used using very was
    we were what when where which while who why will with would you your""".split())


def spans(text):
    """[(word, start, end)] of the words that say something, in small letters: text[start:end] with the negation before it.

    >>> text = "It doesn't hum, and is not very loud: a GREAT pedal!"
    >>> [word for word, _, _ in spans(text)], [text[start:end] for _, start, end in spans(text)][1]
    (['not hum', 'not loud', 'great', 'pedal'], 'not very loud')
    """
    found, negation = [], None
    for match in _WORD.finditer(text.lower()):
        word = match[0]
        if word in _NEGATIONS or word.endswith("n't"):
            negation = match.start()
        elif word not in _STOP and len(word) > 1:
            found.append((word, match.start(), match.end()) if negation is None else (f"not {word}", negation, match.end()))
            negation = None
    return found


def words(text):
    """The words of `spans`."""
    return [word for word, _, _ in spans(text)]


class Vocabulary:
    """words[c - 1] has the code c; 0 is no word. idf (V + 1,): log(texts / texts that hold the word), 0 for code 0."""

    def __init__(self, words, idf):
        self.words, self.idf = list(words), np.asarray(idf, np.float32)
        self._code = {word: code for code, word in enumerate(self.words, start=1)}

    def __len__(self):
        """How many codes there are, that of no word included."""
        return len(self.words) + 1

    @classmethod
    def learn(cls, texts, size=5000, least=5):
        """The `size` words that most of the texts hold, each in at least `least` of them."""
        documents = collections.Counter(word for text in texts for word in dict.fromkeys(words(text)))
        kept = [word for word, n in documents.items() if n >= least]
        kept = sorted(kept, key=lambda word: (-documents[word], word))[:size]
        return cls(kept, np.append(0, np.log(max(1, len(texts)) / np.array([documents[word] for word in kept], float))))

    def codes(self, text, longest):
        """The codes of the text's different words, at most `longest`: the rarest (largest idf), in the text's order."""
        found = list(dict.fromkeys(self._code[word] for word in words(text) if word in self._code))
        kept = sorted(range(len(found)), key=lambda place: -self.idf[found[place]])[:longest]
        return [found[place] for place in sorted(kept)]

    def state(self):
        return {"words": self.words, "idf": self.idf}


class ReviewTable:
    """The R training reviews, rows 1 .. R; row 0 is no review.

        words            (R + 1, L) codes of a vocabulary, 0 = none
        user, item       (R + 1,) codes of who wrote about what
        of_user, of_item (U, S_u), (I, S_i) the rows of each user's, each item's reviews that hold a word, 0 = none; the
                         `most` last of each
    """

    def __init__(self, words, user, item, n_users, n_items, most):
        self.words, self.user, self.item, self.most = words, user, item, most
        self.of_user, self.of_item = (self._lists(codes, n) for codes, n in ((user, n_users), (item, n_items)))

    @classmethod
    def of(cls, texts, users, items, n_users, n_items, vocabulary, longest=60, most=100):
        """Of texts (R of them) that the users (R,) wrote about the items (R,)."""
        codes = [vocabulary.codes(text, longest) for text in texts]
        table = np.zeros((len(texts) + 1, max(1, max(map(len, codes), default=1))), np.int64)
        for row, found in enumerate(codes, start=1):
            table[row, :len(found)] = found
        return cls(table, np.append(0, users), np.append(0, items), n_users, n_items, most)

    def _lists(self, codes, n):
        rows = np.flatnonzero(self.words[:, 0])
        rows = rows[np.argsort(codes[rows], kind="stable")]
        count = np.bincount(codes[rows], minlength=n)
        from_end = np.cumsum(count)[codes[rows]] - 1 - np.arange(len(rows))
        lists = np.zeros((n, max(1, min(self.most, count.max(initial=0)))), np.int64)
        kept = from_end < self.most
        lists[codes[rows][kept], from_end[kept]] = rows[kept]
        return lists

    def readable(self, users, items):
        """(rows (B, S_u), keep) of the users' reviews and the same of the items', for pairs (B,).

        keep is False where there is no review, and at what a user wrote about the very item: who is to be predicted has not
        written it yet.
        """
        of_user, of_item = self.of_user[users], self.of_item[items]
        return ((of_user, (of_user > 0) & (self.item[of_user] != items[:, None])),
                (of_item, (of_item > 0) & (self.user[of_item] != users[:, None])))

    def state(self):
        return {"words": self.words, "user": self.user, "item": self.item, "n_users": len(self.of_user),
                "n_items": len(self.of_item), "most": self.most}
