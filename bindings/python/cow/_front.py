"""libcow's SIGSEGV action stays in front of faulthandler's.

faulthandler.enable() puts its own action in front, where a store to a protected page is reported
as a crash; disable() puts back the one from before enable(), which may be none at all. pytest calls
both. So each of them is followed by libcow's taking its place again, as soon as there is a region
that needs it. register() and unregister() are left alone: they refuse SIGSEGV.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import functools
from typing import Any, Callable

from ._library import call, library


def _followed(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def and_in_front(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        call("cow_reinstall_handler")
        return result

    and_in_front.is_of_libcow = True  # type: ignore[attr-defined]
    return and_in_front


def _outlive_the_interpreter() -> None:
    # At its very end the interpreter disables faulthandler without asking anybody. Enabled anew,
    # that puts libcow's action back, for stores by other threads and by destructors of C++.
    if faulthandler.is_enabled():
        faulthandler.disable()
        with contextlib.suppress(Exception):  # there may be no sys.stderr any more
            faulthandler.enable()


def keep_handler_in_front() -> None:
    """To be called when there is another region. Does nothing where the kernel copies, and nothing
    twice."""
    others = [name for name in ("enable", "disable")
              if not hasattr(getattr(faulthandler, name), "is_of_libcow")]
    if not others or not library.cow_owns_sigsegv():
        return
    if faulthandler.is_enabled():
        atexit.register(_outlive_the_interpreter)
    for name in others:
        setattr(faulthandler, name, _followed(getattr(faulthandler, name)))
