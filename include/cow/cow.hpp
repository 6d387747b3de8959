#pragma once

/// @mainpage
/// Memory that a program can clone for almost nothing: a cow::Region, its clones, and its
/// snapshots, which share memory until somebody stores to it.
///
/// | header | what it has |
/// |---|---|
/// | <cow/region.hpp> | cow::Region: create, clone, snapshot, restore, and the bytes; describe() |
/// | <cow/snapshot.hpp> | cow::Snapshot, and cow::diff of two of them |
/// | <cow/lease.hpp> | cow::WriteLease and cow::write_lease(), for system calls that fill memory |
/// | <cow/options.hpp> | cow::RegionOptions, cow::Mechanism, cow::CloneMode, cow::SnapshotMode |
/// | <cow/backup.hpp> | cow::Backup: the bytes of a moment, saved with a limit on memory |
/// | <cow/image.hpp> | cow::SaveOptions and cow::LoadOptions, for files |
/// | <cow/merge.hpp> | cow::merge: two lines of history become one |
/// | <cow/publish.hpp> | cow::publish and cow::attach: templates between processes |
/// | <cow/stats.hpp> | cow::RegionStats, cow::process_stats(), cow::trim() |
/// | <cow/fault.hpp> | cow::try_handle_fault() and its like, cow::FaultRecorder |
/// | <cow/trace.hpp> | cow::Trace: a record of all of it in a file |
/// | <cow/version.hpp> | COW_VERSION, cow::version(), cow::build_info() |
///
/// One more header needs Boost and is not part of cow.hpp: <cow/managed_region.hpp> has
/// cow::ManagedRegion, objects and containers in a region. <cow/cow.h> is all of this for C.
///
/// docs/model.md explains the model, docs/embedding.md how to live with it in a program.

/// @file
/// The whole library, but for what needs Boost.

/// @namespace cow
/// Everything that libcow has for programs.

#include <cow/backup.hpp>
#include <cow/fault.hpp>
#include <cow/image.hpp>
#include <cow/lease.hpp>
#include <cow/merge.hpp>
#include <cow/options.hpp>
#include <cow/publish.hpp>
#include <cow/region.hpp>
#include <cow/snapshot.hpp>
#include <cow/stats.hpp>
#include <cow/trace.hpp>
#include <cow/version.hpp>
