"""Mutations of reviews: data, words, which reviews are read, NARRE, explanations of it and of factorization machines."""

DATA = "recmodels/test_reviews.py -k 'not real_file'"
TESTS = "recmodels/test_explanations.py -k 'not recommended'"
LISTS = "recmodels/test_explanations.py -k 'recommended or lists'"

CHAPTERS = [
    ("recmodels/datasets/reviews.py", DATA, [
        ("enumerate(lines, start=1)", "enumerate(lines)"),
        ("if first.setdefault(row[:2], number) != number:", "if False:"),
        ("broken += \"\\ufffd\" in text", "broken += 1"),
        ("or isinstance(value, bool):", "or False:"),
        ("if not 1 <= rating <= 5:", "if rating < 1 or rating > 5:"),
        ("praise if quality[i[n], a] > 0 else complaint", "praise if quality[i[n], 0] > 0 else complaint"),
        ("self.frame[\"text\"] = texts", "self.frame[\"text\"] = texts[::-1]"),
    ]),
    ("recmodels/reviews.py", DATA, [
        ("(f\"not {word}\", negation, match.end())", "(word, negation, match.end())"),
        ("            negation = None\n", ""),
        ("for word in dict.fromkeys(words(text)))", "for word in words(text))"),
        ("key=lambda place: -self.idf[found[place]])", "key=lambda place: self.idf[found[place]])"),
        ("(self.item[of_user] != items[:, None])", "(self.item[of_user] >= 0)"),
        ("(self.user[of_item] != users[:, None])", "(self.user[of_item] >= 0)"),
        ("rows = np.flatnonzero(self.words[:, 0])", "rows = np.arange(1, len(self.words))"),
        ("kept = from_end < self.most", "kept = from_end >= 0"),
    ]),
    ("recmodels/models/explainable.py", TESTS, [
        ("self.A_u(o) + self.C_u(self.table.item)", "self.A_u(o)"),
        ("self.A_i(o) + self.C_i(self.table.user)", "self.A_i(o) - self.C_i(self.table.user)"),
        ("w * (q + X)", "w * q"),
        ("beta = ops.masked_softmax(self.s(words).reshape(words.shape), self.written)",
         "beta = ops.softmax(self.s(words).reshape(words.shape), axis=1)"),
        ("alpha = ops.masked_softmax(F.embedding(rows, scores).reshape(rows.shape), keep)",
         "alpha = ops.masked_softmax(F.embedding(rows, scores).reshape(rows.shape), rows > 0)"),
        ("/ np.maximum(n - 1 + reg, 1e-9)", "/ (n + reg)"),
        ("(b[codes] * (n + reg) - rest)", "(b[codes] * (n + reg))"),
        ("return self._biases(users, items) + super()._score", "return self.mean_ + super()._score"),
        ("float(self.stars_[row - 1])", "float(self.stars_[row - 2])"),
        ("[1][np.arange(len(users)), columns] = False", "[1][np.arange(len(users)), 0] = False"),
    ]),
    ("recmodels/explanations.py", TESTS, [
        ("math.factorial(n) if network.form == \"full\" else 1", "1"),
        ("for m in range(n, 0, -1):", "for m in range(1, n + 1):"),
        ("drawn[np.arange(len(drawn)), most] = 0", "pass"),
        (".argmax(axis=1)\n    drawn", ".argmin(axis=1)\n    drawn"),
        ("most = max((abs(part)", "most = min((abs(part)"),
        ("key=lambda one: -abs(one[1]))[:n]", "key=lambda one: -one[1])[:n]"),
        ("html.escape(read.text[first:last])", "read.text[first:last]"),
        ("html.escape(read.text[end:first])", "read.text[end:first]"),
    ]),
    ("recmodels/explanations.py", LISTS, [
        ("numbers[:, p, None] * rows[:, p]", "rows[None, :, p]"),
        ("names, numbers = [\"mean\", *names], np.insert(numbers, 0, constant, axis=1)", "pass"),
        ("np.argsort(-np.absolute(numbers)", "np.argsort(-numbers"),
    ]),
    ("recmodels/checkin_recommender.py", LISTS, [("local[query], timestamps[query]", "local, timestamps")]),
    ("recmodels/models/venue_ranker.py", LISTS, [
        ("fields += [\"history\"] *", "fields += [\"time\"] *"),
    ]),
]
