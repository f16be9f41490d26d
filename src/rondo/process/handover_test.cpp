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

TEST(inheritances, are_read_as_they_were_written) {
    inheritance left = example();
    left.leave_to(getpid());
    for (auto& s : left.sockets) EXPECT_FALSE(closes_on_exec(s.fd.value()));
    inheritance got = inheritance::take();
    EXPECT_EQ(std::getenv("RONDO_INHERIT"), nullptr);
    EXPECT_EQ(got.what, inheritance::kind::reload);
    EXPECT_EQ(got.from, 12);
    EXPECT_EQ(got.beside, 13);
    EXPECT_EQ(got.generation, 7u);
    EXPECT_EQ(got.pid_file, left.pid_file);
    ASSERT_EQ(got.sockets.size(), 2u);
    EXPECT_EQ(got.sockets[1].file.path, "/a b");
    EXPECT_EQ(got.sockets[1].file.device, 7u);
    EXPECT_EQ(got.sockets[1].file.inode, 8u);
    EXPECT_TRUE(got.sockets[1].foreign);
    EXPECT_TRUE(closes_on_exec(got.sockets[0].fd.value()));
    EXPECT_EQ(got.orders.reader.value(), left.orders.reader.value());
    EXPECT_EQ(got.orders.writer.value(), left.orders.writer.value());
    EXPECT_TRUE(closes_on_exec(got.orders.writer.value()));
    ASSERT_EQ(got.tables.size(), 1u);
    ASSERT_EQ(got.children.size(), 1u);
    EXPECT_EQ(got.children[0].pid, 100);
    EXPECT_TRUE(got.children[0].leaving);
    // Both own the same descriptors here; in life the first is gone with its image.
    for (auto& s : got.sockets) (void)s.fd.release();
    (void)got.tables[0].fd.release();
    (void)got.notify.release();
    (void)got.orders.reader.release();
    (void)got.orders.writer.release();
}

TEST(inheritances, are_found_by_group_and_key) {
    inheritance i = example();
    EXPECT_FALSE(i.socket_of("worker", "127.0.0.1:81"));
    EXPECT_FALSE(i.socket_of("other", "127.0.0.1:80"));
    auto s = i.socket_of("worker", "127.0.0.1:80");
    ASSERT_TRUE(s);
    EXPECT_EQ(s->url, "http://127.0.0.1:80");
    EXPECT_FALSE(i.socket_of("worker", "127.0.0.1:80"));
}

TEST(inheritances, are_for_one_process_only) {
    inheritance left = example();
    left.leave_to(getpid() + 1);
    inheritance got = inheritance::take();
    EXPECT_EQ(got.what, inheritance::kind::none);
    EXPECT_EQ(std::getenv("RONDO_INHERIT"), nullptr);
    left.withdraw();
    EXPECT_TRUE(closes_on_exec(left.sockets[0].fd.value()));
}

TEST(inheritances, of_another_version_or_damaged_are_refused) {
    EXPECT_THROW((void)inheritance::parse("something else"), std::runtime_error);
    EXPECT_THROW((void)inheritance::parse("rondo 1\nkind\tnew\n"), std::runtime_error);
    EXPECT_THROW((void)inheritance::parse("rondo 1\nchild\tx\t1\t1\t0\tworker\n"), std::runtime_error);
    EXPECT_EQ(inheritance::parse("rondo 1\nlater\tword\n").what, inheritance::kind::none);
}

}  // namespace
}  // namespace rondo::process
