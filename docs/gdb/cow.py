"""A command for gdb, after `source docs/gdb/cow.py`: cow-describe REGION.

It needs the debug information of libcow and the C++ library of GCC.
"""
import gdb


def is_inside_libcow():
    frame = gdb.newest_frame()
    while frame is not None:
        if (frame.name() or "").startswith("cow::"):
            return True
        frame = frame.older()
    return False


class Describe(gdb.Command):
    """cow-describe REGION: print what cow::describe() says about a region, any expression.

The program runs it, so there has to be one: a core will not do."""

    def __init__(self):
        super().__init__("cow-describe", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("cow-describe takes a region: cow-describe REGION")
        if is_inside_libcow():
            # It may hold the lock that describe() waits for.
            raise gdb.GdbError("this thread is inside libcow: ask again when it has left (finish)")
        try:
            text = gdb.parse_and_eval(f"cow::describe({argument})")
        except gdb.error as error:
            raise gdb.GdbError(str(error)) from error
        gdb.write(text["_M_dataplus"]["_M_p"].string())


Describe()
