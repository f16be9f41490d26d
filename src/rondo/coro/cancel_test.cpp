// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/cancel.hpp>

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/coro/task_context.hpp>

namespace rondo {
namespace {

struct recording_callback : cancel_callback {
    explicit recording_callback(std::vector<cancel_reason>& notes)
        : cancel_callback([](cancel_callback& self, cancel_reason reason) noexcept {
              static_cast<recording_callback&>(self).reasons_.push_back(reason);
          }),
          reasons_(notes) {}
    std::vector<cancel_reason>& reasons_;
};

TEST(CancelSource, calls_each_callback_once_and_keeps_the_first_reason) {
    cancel_source source;
    std::vector<cancel_reason> notes;
    recording_callback a(notes), b(notes);
    source.add(a);
    source.add(b);
    source.cancel(cancel_reason::deadline);
    source.cancel(cancel_reason::drain);
    EXPECT_EQ(notes, (std::vector{cancel_reason::deadline, cancel_reason::deadline}));
    EXPECT_EQ(source.reason(), cancel_reason::deadline);
}

TEST(CancelSource, does_not_call_an_unregistered_or_destroyed_callback) {
    cancel_source source;
    std::vector<cancel_reason> notes;
    recording_callback unregistered(notes);
    source.add(unregistered);
    unregistered.unlink();
    {
        recording_callback destroyed(notes);
        source.add(destroyed);
    }
    source.cancel();
    EXPECT_TRUE(notes.empty());
}

struct destroyer : cancel_callback {
    destroyer(std::optional<cancel_source>& source, std::unique_ptr<recording_callback>& other)
        : cancel_callback([](cancel_callback& self, cancel_reason) noexcept {
              static_cast<destroyer&>(self).source_.reset();
              static_cast<destroyer&>(self).other_.reset();
          }),
          source_(source),
          other_(other) {}
    std::optional<cancel_source>& source_;
    std::unique_ptr<recording_callback>& other_;
};

TEST(CancelSource, a_callback_may_destroy_the_source_and_other_callbacks) {
    std::vector<cancel_reason> notes;
    std::optional<cancel_source> source(std::in_place);
    auto second = std::make_unique<recording_callback>(notes);
    destroyer first(source, second);
    recording_callback third(notes);
    source->add(first);
    source->add(*second);
    source->add(third);
    source->cancel(cancel_reason::disconnected);
    EXPECT_EQ(notes, std::vector{cancel_reason::disconnected});
}

TEST(CancelSource, a_destroyed_source_unregisters_its_callbacks) {
    std::vector<cancel_reason> notes;
    recording_callback a(notes), b(notes);
    {
        cancel_source source;
        source.add(a);
        source.add(b);
    }
    a.unlink();
    EXPECT_FALSE(b.is_linked());
}

TEST(CancelSource, can_be_used_again_after_reset) {
    cancel_source source;
    source.cancel();
    source.reset();
    EXPECT_FALSE(source.is_cancelled());
    source.cancel(cancel_reason::drain);
    EXPECT_EQ(source.reason(), cancel_reason::drain);
}

TEST(CancelSource, is_requested_by_another_thread_and_cancelled_on_its_own) {
    cancel_source source;
    std::vector<cancel_reason> notes;
    recording_callback a(notes);
    source.add(a);
    std::thread([&source] { source.request(cancel_reason::disconnected); }).join();
    EXPECT_EQ(source.reason(), cancel_reason::disconnected);
    EXPECT_TRUE(notes.empty());
    source.cancel(cancel_reason::deadline);
    source.cancel(cancel_reason::drain);
    EXPECT_EQ(notes, std::vector{cancel_reason::disconnected});
    source.request(cancel_reason::drain);
    EXPECT_EQ(source.reason(), cancel_reason::disconnected);
}

TEST(CancelToken, reflects_the_state_of_its_source) {
    cancel_token none;
    EXPECT_FALSE(none.is_cancelled());
    EXPECT_NO_THROW(none.check());
    cancel_source source;
    cancel_token token(source);
    EXPECT_NO_THROW(token.check());
    source.cancel(cancel_reason::disconnected);
    EXPECT_TRUE(token.is_cancelled());
    try {
        token.check();
        FAIL();
    } catch (const cancelled& c) {
        EXPECT_EQ(c.reason, cancel_reason::disconnected);
    }
}

TEST(Cancelled, is_not_swallowed_by_catching_std_exception) {
    cancel_source source;
    source.cancel();
    EXPECT_THROW(try { cancel_token(source).check(); } catch (const std::exception&) { ADD_FAILURE(); }, cancelled);
}

TEST(ChildContext, is_cancelled_with_its_parent_and_not_the_other_way_round) {
    task_context parent;
    child_context first(&parent), second(&parent);
    child_context grandchild(&first);
    second.cancel.cancel();
    EXPECT_FALSE(parent.cancel.is_cancelled());
    EXPECT_FALSE(first.cancel.is_cancelled());
    parent.cancel.cancel(cancel_reason::drain);
    EXPECT_EQ(grandchild.cancel.reason(), cancel_reason::drain);
    EXPECT_EQ(second.cancel.reason(), cancel_reason::requested);
}

TEST(ChildContext, starts_cancelled_when_its_parent_is_cancelled) {
    task_context parent;
    parent.cancel.cancel(cancel_reason::deadline);
    child_context child(&parent);
    EXPECT_EQ(child.cancel.reason(), cancel_reason::deadline);
}

TEST(ChildContext, inherits_name_and_deadline_and_may_be_destroyed_first) {
    task_context parent;
    parent.name = "/latest";
    parent.deadline = instant(std::chrono::seconds(5));
    {
        child_context child(&parent);
        EXPECT_EQ(child.name, "/latest");
        EXPECT_EQ(child.deadline, parent.deadline);
    }
    parent.cancel.cancel();
    child_context detached(nullptr);
    EXPECT_FALSE(detached.cancel.is_cancelled());
    EXPECT_EQ(detached.deadline, instant::max());
}

}  // namespace
}  // namespace rondo
