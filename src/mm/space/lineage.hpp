#pragma once

#include "base/check.hpp"

namespace cow {

/// A snapshot's, or a region's, place in the tree of its family: below the nearest snapshot that
/// its bytes come from and that is still there. Regions are leaves of it.
class LineageNode {
 public:
  enum class Kind { root, snapshot, region };

  explicit LineageNode(Kind kind) noexcept : kind_(kind) {}
  ~LineageNode() { COW_CHECK(parent_ == nullptr && first_child_ == nullptr); }
  LineageNode(const LineageNode&) = delete;
  LineageNode& operator=(const LineageNode&) = delete;

  [[nodiscard]] bool is_snapshot() const noexcept { return kind_ == Kind::snapshot; }
  [[nodiscard]] LineageNode* parent() const noexcept { return parent_; }

 private:
  friend class Lineage;

  Kind kind_;
  LineageNode* parent_ = nullptr;  ///< null: in no tree
  LineageNode* first_child_ = nullptr;
  LineageNode* last_child_ = nullptr;
  LineageNode* next_ = nullptr;  ///< the next child of the same parent
  LineageNode* previous_ = nullptr;
};

/// The tree of the snapshots of a family. It knows those that live and nothing of others, so its
/// memory is theirs. The caller holds the family's lock. Not for the fault handler.
class Lineage {
 public:
  Lineage() noexcept = default;
  Lineage(const Lineage&) = delete;
  Lineage& operator=(const Lineage&) = delete;

  /// The bytes of `node`, a region or a new snapshot, come from where those of `region` do.
  void come_from_same(LineageNode& node, const LineageNode& region) noexcept {
    hang(node, region.parent_ == nullptr ? root_ : *region.parent_);
  }
  /// The bytes of `region` are those of `snapshot` from now on.
  void come_from(LineageNode& region, LineageNode& snapshot) noexcept {
    if (region.parent_ != &snapshot) hang(region, snapshot);
  }

  /// The node goes; what hangs on it hangs on its parent then, in its place, so that children stay
  /// in the order of time. Moves some of them and returns false if there are more: the tree is
  /// whole between two calls.
  [[nodiscard]] bool remove_some(LineageNode& node) noexcept {
    if (node.parent_ == nullptr) return true;
    for (unsigned moves = 0; node.first_child_ != nullptr; ++moves) {
      if (moves == kMostMoves) return false;
      LineageNode& child = *node.first_child_;
      unlink(child);
      link(child, *node.parent_, &node);
    }
    unlink(node);
    return true;
  }
  /// The same for a region, or for a snapshot that nothing hangs on.
  void remove_leaf(LineageNode& node) noexcept {
    COW_CHECK(node.first_child_ == nullptr);
    static_cast<void>(remove_some(node));
  }

  /// The first snapshot, or the one after `node`, which is in the tree: parents come before
  /// children. Null after the last. What comes after a node that stays does not change by what goes
  /// before it: so a walk may let the lock go, as long as somebody keeps the node.
  [[nodiscard]] LineageNode* next_snapshot(const LineageNode* node) const noexcept {
    LineageNode* next = after(node == nullptr ? root_ : *node);
    while (next != nullptr && !next->is_snapshot()) next = after(*next);
    return next;
  }

 private:
  void hang(LineageNode& node, LineageNode& parent) noexcept {
    remove_leaf(node);
    link(node, parent, nullptr);
  }

  // Before `next`, or as the last child.
  static void link(LineageNode& node, LineageNode& parent, LineageNode* next) noexcept {
    node.parent_ = &parent;
    node.next_ = next;
    node.previous_ = next != nullptr ? next->previous_ : parent.last_child_;
    (node.previous_ != nullptr ? node.previous_->next_ : parent.first_child_) = &node;
    (next != nullptr ? next->previous_ : parent.last_child_) = &node;
  }
  static void unlink(LineageNode& node) noexcept {
    LineageNode& parent = *node.parent_;
    (node.previous_ != nullptr ? node.previous_->next_ : parent.first_child_) = node.next_;
    (node.next_ != nullptr ? node.next_->previous_ : parent.last_child_) = node.previous_;
    node.parent_ = node.next_ = node.previous_ = nullptr;
  }

  [[nodiscard]] static LineageNode* after(const LineageNode& node) noexcept {
    if (node.first_child_ != nullptr) return node.first_child_;
    const LineageNode* at = &node;
    while (at != nullptr && at->next_ == nullptr) at = at->parent_;
    return at == nullptr ? nullptr : at->next_;
  }

  // In one hold of the lock: some microseconds.
  static constexpr unsigned kMostMoves = 256;

  LineageNode root_{LineageNode::Kind::root};
};

}  // namespace cow
