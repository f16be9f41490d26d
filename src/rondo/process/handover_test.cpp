// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/handover.hpp>

#include <cstdlib>
#include <stdexcept>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace rondo::process {
namespace {

unique_fd open_descriptor() { return unique_fd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

bool closes_on_exec(int fd) { return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

handover example() {
    handover i;
    i.reason = handover::kind::reload;
    i.old_arbiter = 12;
    i.new_arbiter = 13;
    i.generation = 7;
    i.pid_file = "/run/with space\tand tab.pid";
    i.wakeup_fd = open_descriptor();
    i.commands = {open_descriptor(), open_descriptor()};
    i.listeners.push_back({"worker", "127.0.0.1:80", open_descriptor(), "http://127.0.0.1:80", {}, false});
    i.listeners.push_back({"worker", "unix:/a b", open_descriptor(), "unix:/a b", {"/a b", 7, 8}, true});
    i.tables.push_back({"worker", open_descriptor()});
    i.children.push_back({100, 6, 3, true, "worker"});
    return i;
}

TEST(Handover, round_trips_through_the_environment) {
    handover written = example();
    written.export_to_environment(getpid());
    for (auto& s : written.listeners) EXPECT_FALSE(closes_on_exec(s.fd.value()));
    handover received = handover::from_environment();
    EXPECT_EQ(std::getenv("RONDO_HANDOVER"), nullptr);
    EXPECT_EQ(received.reason, handover::kind::reload);
    EXPECT_EQ(received.old_arbiter, 12);
    EXPECT_EQ(received.new_arbiter, 13);
    EXPECT_EQ(received.generation, 7u);
    EXPECT_EQ(received.pid_file, written.pid_file);
    ASSERT_EQ(received.listeners.size(), 2u);
    EXPECT_EQ(received.listeners[1].file.path, "/a b");
    EXPECT_EQ(received.listeners[1].file.device, 7u);
    EXPECT_EQ(received.listeners[1].file.inode, 8u);
    EXPECT_TRUE(received.listeners[1].externally_owned);
    EXPECT_TRUE(closes_on_exec(received.listeners[0].fd.value()));
    EXPECT_EQ(received.commands.reader.value(), written.commands.reader.value());
    EXPECT_EQ(received.commands.writer.value(), written.commands.writer.value());
    EXPECT_TRUE(closes_on_exec(received.commands.writer.value()));
    ASSERT_EQ(received.tables.size(), 1u);
    ASSERT_EQ(received.children.size(), 1u);
    EXPECT_EQ(received.children[0].pid, 100);
    EXPECT_TRUE(received.children[0].terminating);
    // Both objects own the same descriptors here; normally the first one ends with its image.
    for (auto& s : received.listeners) (void)s.fd.release();
    (void)received.tables[0].fd.release();
    (void)received.wakeup_fd.release();
    (void)received.commands.reader.release();
    (void)received.commands.writer.release();
}

TEST(Handover, finds_a_listener_by_group_and_key) {
    handover i = example();
    EXPECT_FALSE(i.take_listener("worker", "127.0.0.1:81"));
    EXPECT_FALSE(i.take_listener("other", "127.0.0.1:80"));
    auto s = i.take_listener("worker", "127.0.0.1:80");
    ASSERT_TRUE(s);
    EXPECT_EQ(s->url, "http://127.0.0.1:80");
    EXPECT_FALSE(i.take_listener("worker", "127.0.0.1:80"));
}

TEST(Handover, is_ignored_by_other_processes) {
    handover written = example();
    written.export_to_environment(getpid() + 1);
    handover received = handover::from_environment();
    EXPECT_EQ(received.reason, handover::kind::none);
    EXPECT_EQ(std::getenv("RONDO_HANDOVER"), nullptr);
    written.unset_environment();
    EXPECT_TRUE(closes_on_exec(written.listeners[0].fd.value()));
}

TEST(Handover, rejects_malformed_and_incompatible_text) {
    EXPECT_THROW((void)handover::parse("something else"), std::runtime_error);
    EXPECT_THROW((void)handover::parse("rondo 2\nkind\tnew\n"), std::runtime_error);
    EXPECT_THROW((void)handover::parse("rondo 2\nchild\tx\t1\t1\t0\tworker\n"), std::runtime_error);
    EXPECT_EQ(handover::parse("rondo 2\nlater\tword\n").reason, handover::kind::none);
}

}  // namespace
}  // namespace rondo::process
