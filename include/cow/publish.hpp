#pragma once

/// @file
/// Templates: the bytes of a snapshot in shared memory, from which unrelated processes start.

#include <string>

#include <cow/export.hpp>
#include <cow/options.hpp>
#include <cow/region.hpp>
#include <cow/snapshot.hpp>

namespace cow {

/// Choices for `publish` by name.
struct PublishOptions {
  /// Who may read the template, by its permission bits, whatever the umask. Nobody may write it:
  /// the bits for reading alone are taken over, those for writing may be set for the owner and not
  /// for others. As a template by name is taken from root and from the own user alone, other bits
  /// than the owner's matter where root publishes: 0644 lets every user attach.
  unsigned mode = 0600;

  /// Pages of zeros between pages with data take memory from the start, so that no process that
  /// attached the template ever needs more of /dev/shm. Without it they take none until one of them
  /// loads such a page, and if /dev/shm is full at that moment, that is SIGBUS: for very sparse
  /// regions, where nobody else can fill it. Zeros behind the last data never take memory.
  bool reserve_zeros = true;
};

/// Makes the bytes of `snapshot` a template that other processes of this machine attach by its
/// name: an object in shared memory, `/dev/shm/libcow.NAME`. It appears when it is complete, and
/// stays until `unpublish`, also when this process has ended. A name has 1 to 200 bytes, no slash
/// and no zero byte, and does not begin with a dot: anything else is a std::invalid_argument, as is
/// a mode that lets others write. Throws std::system_error: EEXIST if the name is taken, ENOSPC
/// where shared memory is full, ENOENT where there is none; then nothing of it is left. Thread
/// safe. Cost: O(pages with a frame), which are copied once, and O(pages of zeros
/// between them).
COW_API void publish(const std::string& name, const Snapshot& snapshot,
                     const PublishOptions& options = {});

/// The same without a name: returns a descriptor, which the caller closes, to be passed on: over a
/// Unix socket (SCM_RIGHTS) or to a child, which inherits it once FD_CLOEXEC is cleared. Its memory
/// is sealed: nobody can ever change it, the publisher neither. It lives as long as a descriptor of
/// it or a region that was attached. Zeros between pages with data take memory from the start, this
/// process's: for very sparse regions there is `PublishOptions::reserve_zeros`, by name. Zeros
/// behind the last data take none. Throws std::system_error. Cost: as above.
[[nodiscard]] COW_API int publish(const Snapshot& snapshot);

/// A writable region with the bytes of the template, at an address of its own. Its frames are those
/// of the template, shared with all processes that attached it, until they are stored to: a store
/// copies the page first, so that nobody else sees it, nor the template changes. All that a region
/// can do it can: clones, snapshots, images, another template.
/// The object must belong to root or to this process's effective user, and nobody else may have the
/// right to write it: otherwise std::system_error (EPERM), as whoever can cut it could end this
/// process by SIGBUS. In a user namespace that maps only some users, those that it does not map
/// look alike, and nothing of theirs is taken. docs/templates.md says what that comes to. ENOENT if
/// there is none of that name here, EACCES if this user may not read it, EBADMSG if it is no
/// template that this libcow reads. `RegionOptions::granule_bytes` must be 0 or the template's own
/// page size, else std::invalid_argument. Thread safe. Cost: O(1), and O(list of the template's
/// pages).
[[nodiscard]] COW_API Region attach(const std::string& name, const RegionOptions& options = {});

/// The same of a descriptor, whoever sent it: it must be of memory that is sealed against writing,
/// cutting and growing, as that of `publish` is; otherwise std::system_error (EPERM, EINVAL) says
/// which seal is missing. Nor may it have holes before the end of its data (EBADMSG), which would
/// take memory of whoever reads them. What is trusted of the sender is the bytes alone: their
/// checksums are not looked at. The descriptor stays the caller's and may be closed at once. Cost:
/// as above, and O(pages with data), whose presence is looked at.
[[nodiscard]] COW_API Region attach(int descriptor, const RegionOptions& options = {});

/// Takes the name away: who has attached the template keeps it, and its memory goes with the last
/// of them. Throws std::system_error: ENOENT if nothing of that name is published, EACCES or EPERM
/// if it is another user's.
COW_API void unpublish(const std::string& name);

}  // namespace cow
