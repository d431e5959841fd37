"""An exception as what can travel: as text, and with its causes and contexts as pickles.

describe         type's name, message, traceback's text: always works
describe_frames  where it, its causes, contexts and members were raised
dump_error       list of links | pieces of each exception that can be pickled
                 the first is the exception itself, the others its causes and contexts, and the
                 members of groups
                 link: type's name, text, number of cause and context, is context suppressed,
                       how many pieces, numbers of members
"""

import builtins
import pickle
import sys
import traceback
import warnings
from typing import Any, Callable, Dict, List, Optional, Sequence

from sqlexec.runner.codec_exceptions import (
    exception_reducer,
    make_exception,
    parts_of_exception,
)
from sqlexec.runner.frames import frames_of, is_own_frame
from sqlexec.runner.types import Buffer, Frame
from sqlexec.runner.wire import text_of

LONGEST_CHAIN = 100  # exceptions after which no more causes and contexts are sent of one
_GROUP = getattr(builtins, "BaseExceptionGroup", ())  # since Python 3.11


def describe(error: BaseException, own: Dict[str, Any]) -> Dict[str, Any]:
    """Type name, nearest builtin class, message and traceback text of an exception.

    The runner's frames, those with the globals `own`, are left out at the top: the user's
    function comes first.
    """
    trace = error.__traceback__
    while trace is not None and is_own_frame(trace.tb_frame, own):
        trace = trace.tb_next
    kind = type(error)
    try:
        lines = traceback.format_exception(kind, error, trace)
    except BaseException:  # noqa: BLE001 - the exception's own __str__ or __repr__ raised
        lines = traceback.format_tb(trace) + ["%s: %s\n" % (kind.__name__, text_of(error))]
    return {
        "type": "%s.%s" % (kind.__module__, kind.__qualname__),
        "base": next(base.__name__ for base in kind.__mro__ if base.__module__ == "builtins"),
        "message": text_of(error),
        "traceback": "".join(lines),
    }


def describe_current(own: Dict[str, Any]) -> Dict[str, Any]:
    """`describe` of the exception that is being handled."""
    error = sys.exc_info()[1]  # type: Any
    return describe(error, own)


def describe_frames(
    error: BaseException, own: Dict[str, Any], lines: Dict[str, Dict[int, str]]
) -> List[List[Frame]]:
    """Frames of the exception, and of the others in the order of `dump_error`."""
    return [frames_of(each, own, lines) for each in _chain(error)]


def dump_error(error: BaseException, dump_one: Callable[[Any], List[Buffer]]) -> List[Buffer]:
    """Pickle an exception with its causes, contexts and members; no pieces where it cannot be.

    One of them that cannot be pickled is named, and spoils nothing else.
    """
    chain = _chain(error)
    places = {id(each): place for place, each in enumerate(chain)}
    links = []
    pieces = [b""]  # type: List[Buffer]
    for each in chain:
        members = _members(each)
        sent = _with_members(each, [_placeholder(each)]) if members else each
        own = _dumped(sent, dump_one) or _dumped(_without_unpicklable(sent, dump_one), dump_one)
        if each is error and not own:
            return []
        links.append(
            (
                "%s.%s" % (type(each).__module__, type(each).__qualname__),
                text_of(each),
                places.get(id(each.__cause__)),
                places.get(id(each.__context__)),
                each.__suppress_context__,
                len(own),
                [places[id(member)] for member in members],
            )
        )
        pieces.extend(own)
    pieces[0] = pickle.dumps(links, protocol=4)
    return pieces


def load_error(
    pieces: Sequence[Any],
    load_one: Callable[[Any], Any],
    stand_in: Callable[[str, str], BaseException],
) -> List[BaseException]:
    """Rebuild what `dump_error` wrote: the chain; empty if the exception itself cannot be.

    `stand_in(type's name, text)` gives what is taken for another that cannot.
    """
    links = pickle.loads(pieces[0])
    chain = []  # type: List[BaseException]
    start = 1
    waiting = {}  # type: Dict[int, List[int]]
    for name, text, _, _, _, count, members in links:
        found = _loaded(pieces[start : start + count], load_one)
        if found is None and not chain:
            return []
        if found is not None and members:
            waiting[len(chain)] = members
        chain.append(stand_in(name, text) if found is None else found)
        start += count
    while waiting:  # groups of groups: those within come first
        ready = [place for place in waiting if not waiting.keys() & set(waiting[place])]
        for place in ready:
            members = [chain[member] for member in waiting.pop(place)]
            chain[place] = _with_members(chain[place], members)
        if not ready:
            raise ValueError("groups of exceptions that contain each other")
    for error, (_, _, cause, context, suppressed, _, _) in zip(chain, links):
        for name, value in (
            ("__cause__", None if cause is None else chain[cause]),
            ("__context__", None if context is None else chain[context]),
            ("__suppress_context__", suppressed),
        ):
            object.__setattr__(error, name, value)  # not by its class's own, which may refuse
    return chain


def _dumped(value: Any, dump_one: Callable[[Any], List[Buffer]]) -> List[Buffer]:
    try:
        return dump_one(value)
    except BaseException:  # noqa: BLE001 - whatever a user's __reduce__ raises
        return []


def _without_unpicklable(error: BaseException, dump_one: Callable[[Any], List[Buffer]]) -> Any:
    """The exception with texts for arguments that cannot be pickled and without such attributes."""
    if exception_reducer(type(error)) is None:
        return error
    arguments, attributes = parts_of_exception(error)
    lost = ["argument %r" % text_of(each) for each in arguments if not _dumped(each, dump_one)]
    twin = make_exception(
        type(error),
        tuple(each if _dumped(each, dump_one) else text_of(each) for each in arguments),
    )
    for name, each in attributes.items():
        if _dumped(each, dump_one):
            setattr(twin, name, each)
        else:
            lost.append("attribute %r" % name)
    if lost:
        with warnings.catch_warnings():
            warnings.simplefilter("always")  # the task may have made errors of them
            warnings.warn(
                "%s of the exception %s cannot be pickled and did not travel with it"
                % (", ".join(lost), type(error).__name__),
                stacklevel=2,
            )
    return twin


def _loaded(pieces: Sequence[Any], load_one: Callable[[Any], Any]) -> Optional[BaseException]:
    if not pieces:
        return None
    try:
        found = load_one(pieces)
    except Exception:  # noqa: BLE001 - its class may want other arguments, or be missing here
        return None
    return found if isinstance(found, BaseException) else None


def _chain(error: BaseException) -> List[BaseException]:
    """The exception and all that it has for cause, context or member, directly or not."""
    found = [error]
    known = {id(error), id(None)}
    for each in found:
        more = _members(each)
        if len(found) < LONGEST_CHAIN:
            more += [each.__cause__, each.__context__]
        for other in more:
            if id(other) not in known:
                known.add(id(other))
                found.append(other)
    return found


def _members(error: Any) -> List[Any]:
    """Of a group, those that travel for themselves: all, unless it pickles itself its own way."""
    if isinstance(error, _GROUP) and exception_reducer(type(error)) is not None:
        return list(error.exceptions)
    return []


def _with_members(group: Any, members: List[BaseException]) -> BaseException:
    """A group like this one, of others."""
    twin = make_exception(type(group), (group.message, members))  # type: BaseException
    for name, value in parts_of_exception(group)[1].items():
        setattr(twin, name, value)
    return twin


def _placeholder(group: BaseException) -> BaseException:
    """What stands in a group that is sent for its members: it takes no others, and not none."""
    return Exception() if isinstance(group, Exception) else BaseException()
