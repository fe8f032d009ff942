"""JSON of what task code hands over: strict JSON, because everybody else must be able to read it."""

import json
import math
import os


def _other(value):
    if hasattr(value, "tolist"):  # numpy's arrays and numbers
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=True, default=_other).encode


def carried_json(value, what):
    """One line. `what` begins the error's sentence: "The result"."""
    if value is None:
        return "null"
    try:
        return _encode(value)
    except ValueError as error:
        if "Out of range float" in str(error):
            return _encode(_without_nan(value))  # null, as JavaScript writes it: one bad number must not cost a result
        raise ValueError("%s of the task cannot be carried as JSON: %s." % (what, error)) from None
    except TypeError as error:
        raise TypeError("%s of the task cannot be carried as JSON: %s." % (what, error)) from None


def _without_nan(value):
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    if value is None or isinstance(value, (str, int)):
        return value
    return _without_nan(_other(value))
