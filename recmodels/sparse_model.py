"""SparseModel: what models share all of whose learned numbers are one sparse matrix: how they are counted and kept."""


class SparseModel:
    """Mixin for an Estimator that learns one sparse matrix (R, I), I = len(items_), its attribute of the name `_matrix`."""

    _matrix = "learned_"

    def num_parameters(self):
        self._check_fitted()
        return getattr(self, self._matrix).nnz

    def _state(self):
        matrix = getattr(self, self._matrix)
        return {"data": matrix.data, "column": matrix.indices, "start": matrix.indptr}

    def _restore(self, state):
        import scipy.sparse

        shape = len(state["start"]) - 1, len(self.items_)
        setattr(self, self._matrix, scipy.sparse.csr_array((state["data"], state["column"], state["start"]), shape))
