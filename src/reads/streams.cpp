// stdio: what libc reads for a stream, into the stream's buffer or straight into the caller's.

#include <stdio.h>
#include <wchar.h>

#include <cstdarg>

#include "reads/interpose.hpp"

COW_READS_MEMBER(streams)

extern "C" {
void _IO_doallocbuf(FILE* stream);  // NOLINT(readability-identifier-naming): libc's name
}

namespace {

using cow::reads::Memory;

/// The stream's buffer, which a program may have put into a region by setvbuf() or malloc(). libc
/// takes it from malloc with the first byte that is read; here it has to be there before.
Memory buffer_of(FILE* stream) noexcept {
  if (stream->_IO_buf_base == nullptr) {
    ::flockfile(stream);
    _IO_doallocbuf(stream);
    ::funlockfile(stream);
  }
  char* const begin = stream->_IO_buf_base;
  return {begin, static_cast<size_t>(stream->_IO_buf_end - begin)};
}

size_t buffered(const FILE* stream) noexcept {
  return static_cast<size_t>(stream->_IO_read_end - stream->_IO_read_ptr);
}

/// Calls `call` with leases on the stream's buffer and on `to`. Without them the stream has failed.
template <class Result, class Function>
Result from_stream(FILE* stream, Memory to, const Function& function) {
  bool called = false;
  const auto call = [&] {
    called = true;
    return function();
  };
  const auto result = cow::reads::with_leases<Result>({buffer_of(stream), to}, call);
  if (!called) stream->_flags |= _IO_ERR_SEEN;
  return result;
}

}  // namespace

// Headers may have made inline functions of these, or give them the name of another version: here
// they have names of their own, and libc's for the linker.
#define COW_READS_LINKED(result, name, parameters)                                  \
  COW_READS_NEXT(name)                                                              \
  COW_READS_OURS result our_##name parameters __asm__(#name);                       \
  static auto real_##name() noexcept {                                              \
    return reinterpret_cast<decltype(&our_##name)>(cow::reads::next_##name.find()); \
  }

/// A function that may read more of `stream` into its buffer.
#define COW_READS_STREAM(result, name, parameters, arguments, stream)       \
  COW_READS_LINKED(result, name, parameters)                                \
  result our_##name parameters {                                            \
    const auto real = real_##name();                                        \
    if (real == nullptr) return cow::reads::missing<result>();              \
    return from_stream<result>(stream, {}, [&] { return real arguments; }); \
  }

/// The same for those that take one character: most of them are in the buffer.
#define COW_READS_CHARACTER(result, name, parameters, arguments, stream)    \
  COW_READS_LINKED(result, name, parameters)                                \
  result our_##name parameters {                                            \
    const auto real = real_##name();                                        \
    if (buffered(stream) > 0) return real arguments;                        \
    return from_stream<result>(stream, {}, [&] { return real arguments; }); \
  }

/// fread and its like: what is not in the buffer may be read straight into the caller's memory.
#define COW_READS_ITEMS(name, parameters, arguments)                                        \
  COW_READS_LINKED(size_t, name, parameters)                                                \
  size_t our_##name parameters {                                                            \
    const auto real = real_##name();                                                        \
    if (size * count <= buffered(stream)) return real arguments;                            \
    return from_stream<size_t>(stream, {to, size * count}, [&] { return real arguments; }); \
  }

/// scanf and its like: those with arguments without end are the one that takes a list of them.
#define COW_READS_SCANF(version)                                                                  \
  COW_READS_STREAM(int, version##vfscanf, (FILE * stream, const char* format, va_list arguments), \
                   (stream, format, arguments), stream)                                           \
  COW_READS_OURS int our_##version##fscanf(FILE* stream, const char* format,                      \
                                           ...) __asm__(#version "fscanf");                       \
  COW_READS_OURS int our_##version##scanf(const char* format, ...) __asm__(#version "scanf");     \
  COW_READS_OURS int our_##version##vscanf(const char* format,                                    \
                                           va_list arguments) __asm__(#version "vscanf");         \
  int our_##version##fscanf(FILE* stream, const char* format, ...) {                              \
    std::va_list arguments;                                                                       \
    va_start(arguments, format);                                                                  \
    const int items = our_##version##vfscanf(stream, format, arguments);                          \
    va_end(arguments);                                                                            \
    return items;                                                                                 \
  }                                                                                               \
  int our_##version##scanf(const char* format, ...) {                                             \
    std::va_list arguments;                                                                       \
    va_start(arguments, format);                                                                  \
    const int items = our_##version##vfscanf(stdin, format, arguments);                           \
    va_end(arguments);                                                                            \
    return items;                                                                                 \
  }                                                                                               \
  int our_##version##vscanf(const char* format, va_list arguments) {                              \
    return our_##version##vfscanf(stdin, format, arguments);                                      \
  }

COW_READS_ITEMS(fread, (void* to, size_t size, size_t count, FILE* stream),
                (to, size, count, stream))
COW_READS_ITEMS(fread_unlocked, (void* to, size_t size, size_t count, FILE* stream),
                (to, size, count, stream))
COW_READS_ITEMS(__fread_chk, (void* to, size_t room, size_t size, size_t count, FILE* stream),
                (to, room, size, count, stream))
COW_READS_ITEMS(__fread_unlocked_chk,
                (void* to, size_t room, size_t size, size_t count, FILE* stream),
                (to, room, size, count, stream))

COW_READS_CHARACTER(int, fgetc, (FILE * stream), (stream), stream)
COW_READS_CHARACTER(int, getc, (FILE * stream), (stream), stream)
COW_READS_CHARACTER(int, _IO_getc, (FILE * stream), (stream), stream)
COW_READS_CHARACTER(int, fgetc_unlocked, (FILE * stream), (stream), stream)
COW_READS_CHARACTER(int, getc_unlocked, (FILE * stream), (stream), stream)
COW_READS_CHARACTER(int, getchar, (), (), stdin)
COW_READS_CHARACTER(int, getchar_unlocked, (), (), stdin)
COW_READS_CHARACTER(int, __uflow, (FILE * stream), (stream), stream)
COW_READS_CHARACTER(int, __underflow, (FILE * stream), (stream), stream)
COW_READS_STREAM(int, getw, (FILE * stream), (stream), stream)

COW_READS_STREAM(char*, fgets, (char* to, int bytes, FILE* stream), (to, bytes, stream), stream)
COW_READS_STREAM(char*, fgets_unlocked, (char* to, int bytes, FILE* stream), (to, bytes, stream),
                 stream)
COW_READS_STREAM(char*, __fgets_chk, (char* to, size_t room, int bytes, FILE* stream),
                 (to, room, bytes, stream), stream)
COW_READS_STREAM(char*, __fgets_unlocked_chk, (char* to, size_t room, int bytes, FILE* stream),
                 (to, room, bytes, stream), stream)
COW_READS_STREAM(ssize_t, getline, (char** to, size_t* room, FILE* stream), (to, room, stream),
                 stream)
COW_READS_STREAM(ssize_t, getdelim, (char** to, size_t* room, int end, FILE* stream),
                 (to, room, end, stream), stream)
COW_READS_STREAM(ssize_t, __getdelim, (char** to, size_t* room, int end, FILE* stream),
                 (to, room, end, stream), stream)

COW_READS_STREAM(wint_t, fgetwc, (FILE * stream), (stream), stream)
COW_READS_STREAM(wint_t, getwc, (FILE * stream), (stream), stream)
COW_READS_STREAM(wint_t, getwchar, (), (), stdin)
COW_READS_STREAM(wint_t, fgetwc_unlocked, (FILE * stream), (stream), stream)
COW_READS_STREAM(wint_t, getwc_unlocked, (FILE * stream), (stream), stream)
COW_READS_STREAM(wint_t, getwchar_unlocked, (), (), stdin)
COW_READS_STREAM(wchar_t*, fgetws_unlocked, (wchar_t * to, int count, FILE* stream),
                 (to, count, stream), stream)
COW_READS_STREAM(wchar_t*, __fgetws_chk, (wchar_t * to, size_t room, int count, FILE* stream),
                 (to, room, count, stream), stream)
COW_READS_STREAM(wchar_t*, __fgetws_unlocked_chk,
                 (wchar_t * to, size_t room, int count, FILE* stream), (to, room, count, stream),
                 stream)
COW_READS_STREAM(wchar_t*, fgetws, (wchar_t * to, int count, FILE* stream), (to, count, stream),
                 stream)

COW_READS_SCANF()
COW_READS_SCANF(__isoc99_)
COW_READS_SCANF(__isoc23_)

// A new position is looked for in the buffer, which is read for it.
COW_READS_STREAM(int, fseek, (FILE * stream, long by, int from), (stream, by, from), stream)
COW_READS_STREAM(int, fseeko, (FILE * stream, off_t by, int from), (stream, by, from), stream)
COW_READS_STREAM(int, fseeko64, (FILE * stream, off64_t by, int from), (stream, by, from), stream)
COW_READS_STREAM(int, fsetpos, (FILE * stream, const fpos_t* to), (stream, to), stream)
COW_READS_STREAM(int, fsetpos64, (FILE * stream, const fpos64_t* to), (stream, to), stream)
