#pragma once

// Which lock guards what, and who has to hold it, in words that Clang checks (-Wthread-safety, an
// error in this project's own Clang builds). Other compilers read nothing.

#if defined(__clang__)
#define COW_THREAD_ANNOTATION(attribute) __attribute__((attribute))
#else
#define COW_THREAD_ANNOTATION(attribute)
#endif

/// Of a class: its objects are locks.
#define COW_CAPABILITY(kind) COW_THREAD_ANNOTATION(capability(kind))
/// Of a class: its objects hold a lock from construction to destruction.
#define COW_SCOPED_CAPABILITY COW_THREAD_ANNOTATION(scoped_lockable)
/// Of a member or a variable: used only by who holds the lock.
#define COW_GUARDED_BY(lock) COW_THREAD_ANNOTATION(guarded_by(lock))
/// Of a function: the caller holds the lock, before and after.
#define COW_REQUIRES(...) COW_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
/// Of a function: the caller does not hold the lock.
#define COW_EXCLUDES(...) COW_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
/// Of a function: it takes the lock, and the caller has it afterwards; or the other way round.
#define COW_ACQUIRE(...) COW_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define COW_RELEASE(...) COW_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
/// Of a function that checks at run time whether the lock is held: for what the compiler cannot
/// follow, as through a list of families.
#define COW_ASSERT_CAPABILITY(lock) COW_THREAD_ANNOTATION(assert_capability(lock))
/// Of a function: what it returns is that lock.
#define COW_RETURN_CAPABILITY(lock) COW_THREAD_ANNOTATION(lock_returned(lock))
/// Of a function: the compiler does not look at it. Its comment says why not.
#define COW_NO_THREAD_SAFETY_ANALYSIS COW_THREAD_ANNOTATION(no_thread_safety_analysis)
