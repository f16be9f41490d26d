// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/handover.hpp>

#include <cstdlib>
#include <stdexcept>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace rondo::process {
namespace {

unique_fd some_descriptor() { return unique_fd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

bool closes_on_exec(int fd) { return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

inheritance example() {
    inheritance i;
    i.what = inheritance::kind::reload;
    i.from = 12;
    i.beside = 13;
    i.generation = 7;
    i.pid_file = "/run/with space\tand tab.pid";
    i.notify = some_descriptor();
    i.orders = {some_descriptor(), some_descriptor()};
    i.sockets.push_back({"worker", "127.0.0.1:80", some_descriptor(), "http://127.0.0.1:80", {}, false});
    i.sockets.push_back({"worker", "unix:/a b", some_descriptor(), "unix:/a b", {"/a b", 7, 8}, true});
    i.tables.push_back({"worker", some_descriptor()});
    i.children.push_back({100, 6, 3, true, "worker"});
    return i;
}

TEST(Handover, round_trips_through_the_environment) {
    inheritance written = example();
    written.leave_to(getpid());
    for (auto& s : written.sockets) EXPECT_FALSE(closes_on_exec(s.fd.value()));
    inheritance received = inheritance::take();
    EXPECT_EQ(std::getenv("RONDO_INHERIT"), nullptr);
    EXPECT_EQ(received.what, inheritance::kind::reload);
    EXPECT_EQ(received.from, 12);
    EXPECT_EQ(received.beside, 13);
    EXPECT_EQ(received.generation, 7u);
    EXPECT_EQ(received.pid_file, written.pid_file);
    ASSERT_EQ(received.sockets.size(), 2u);
    EXPECT_EQ(received.sockets[1].file.path, "/a b");
    EXPECT_EQ(received.sockets[1].file.device, 7u);
    EXPECT_EQ(received.sockets[1].file.inode, 8u);
    EXPECT_TRUE(received.sockets[1].foreign);
    EXPECT_TRUE(closes_on_exec(received.sockets[0].fd.value()));
    EXPECT_EQ(received.orders.reader.value(), written.orders.reader.value());
    EXPECT_EQ(received.orders.writer.value(), written.orders.writer.value());
    EXPECT_TRUE(closes_on_exec(received.orders.writer.value()));
    ASSERT_EQ(received.tables.size(), 1u);
    ASSERT_EQ(received.children.size(), 1u);
    EXPECT_EQ(received.children[0].pid, 100);
    EXPECT_TRUE(received.children[0].leaving);
    // Both objects own the same descriptors here; normally the first one ends with its image.
    for (auto& s : received.sockets) (void)s.fd.release();
    (void)received.tables[0].fd.release();
    (void)received.notify.release();
    (void)received.orders.reader.release();
    (void)received.orders.writer.release();
}

TEST(Handover, finds_a_listener_by_group_and_key) {
    inheritance i = example();
    EXPECT_FALSE(i.socket_of("worker", "127.0.0.1:81"));
    EXPECT_FALSE(i.socket_of("other", "127.0.0.1:80"));
    auto s = i.socket_of("worker", "127.0.0.1:80");
    ASSERT_TRUE(s);
    EXPECT_EQ(s->url, "http://127.0.0.1:80");
    EXPECT_FALSE(i.socket_of("worker", "127.0.0.1:80"));
}

TEST(Handover, is_ignored_by_other_processes) {
    inheritance written = example();
    written.leave_to(getpid() + 1);
    inheritance received = inheritance::take();
    EXPECT_EQ(received.what, inheritance::kind::none);
    EXPECT_EQ(std::getenv("RONDO_INHERIT"), nullptr);
    written.withdraw();
    EXPECT_TRUE(closes_on_exec(written.sockets[0].fd.value()));
}

TEST(Handover, rejects_malformed_and_incompatible_text) {
    EXPECT_THROW((void)inheritance::parse("something else"), std::runtime_error);
    EXPECT_THROW((void)inheritance::parse("rondo 1\nkind\tnew\n"), std::runtime_error);
    EXPECT_THROW((void)inheritance::parse("rondo 1\nchild\tx\t1\t1\t0\tworker\n"), std::runtime_error);
    EXPECT_EQ(inheritance::parse("rondo 1\nlater\tword\n").what, inheritance::kind::none);
}

}  // namespace
}  // namespace rondo::process
