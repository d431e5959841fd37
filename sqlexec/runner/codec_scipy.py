"""The codec for scipy.sparse: matrices and arrays as the arrays that they are made of."""

import sys
from typing import Any, Callable, Dict, Optional

from sqlexec.runner.codec_plain import lacks_form
from sqlexec.runner.types import Reduced

_PARTS = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "bsr": ("data", "indices", "indptr"),
    "dia": ("data", "offsets"),
    "lil": ("rows", "data"),
}


def scipy_reducer(kind: type) -> Optional[Callable[[Any, Any], Reduced]]:
    """The reducer for objects of exactly this type, None for those that pickle knows best."""
    sparse = sys.modules.get("scipy.sparse")  # type: Any
    if sparse is None or getattr(sparse, kind.__name__, None) is not kind:
        return None
    return (
        _reduce_sparse
        if kind.__name__[:3] in _PARTS or kind.__name__[:3] in ("coo", "dok")
        else None
    )


def scipy_rebuilders() -> Dict[str, Callable[..., Any]]:
    """The rebuilders by name."""
    return {"sp.sparse": _rebuild_sparse}


def _reduce_sparse(writer: Any, matrix: Any) -> Any:
    kind = type(matrix).__name__
    source = matrix.tocoo() if kind[:3] == "dok" else matrix
    if kind[:3] in _PARTS:
        parts = tuple(getattr(matrix, name) for name in _PARTS[kind[:3]])
    else:
        parts = (source.data,) + tuple(getattr(source, "coords", None) or (source.row, source.col))
    return writer.call("sp.sparse", kind, matrix.shape, matrix.dtype, parts)


def _rebuild_sparse(reader: Any, kind: str, shape: Any, dtype: Any, parts: Any) -> Any:
    import scipy.sparse

    if not hasattr(scipy.sparse, kind):
        older = kind.replace("_array", "_matrix")
        lacks_form(reader, "scipy.sparse.%s" % kind, older, "scipy")
        kind = older
    make = getattr(scipy.sparse, kind)
    form = kind[:3]
    if form == "lil":
        found = make(shape, dtype=dtype)
        found.rows, found.data = parts
    elif form == "coo":
        found = make((parts[0], parts[1:]), shape=shape)
    elif form == "dok":
        coo = scipy.sparse.coo_matrix if kind.endswith("matrix") else scipy.sparse.coo_array
        found = coo((parts[0], parts[1:]), shape=shape).todok()
    else:
        found = make(parts, shape=shape)
        for name, part in zip(_PARTS[form], parts):
            setattr(found, name, part)  # with the very dtype of its indices
    return found
