// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/spool.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace rondo {
namespace {

TEST(Spool, keeps_small_content_in_memory) {
    spool s(10);
    EXPECT_EQ(s.text(), "");
    s.append("12345");
    EXPECT_FALSE(s.would_block(5));
    EXPECT_TRUE(s.would_block(6));
    s.append("67890");
    EXPECT_TRUE(s.is_in_memory());
    EXPECT_EQ(s.fd(), -1);
    EXPECT_EQ(s.text(), "1234567890");
}

TEST(Spool, moves_to_an_unnamed_file) {
    spool s(10);
    s.append("1234567890");
    s.append("x");
    EXPECT_TRUE(s.would_block(1));
    s.append("yz");
    EXPECT_FALSE(s.is_in_memory());
    EXPECT_EQ(s.size(), 13u);
    EXPECT_EQ(s.text(), "1234567890xyz");
    struct stat status;
    ASSERT_EQ(::fstat(s.fd(), &status), 0);
    EXPECT_EQ(status.st_nlink, 0u);
    EXPECT_EQ(status.st_size, 13);
}

TEST(Spool, is_movable) {
    spool a(4);
    a.append("abcdefgh");
    EXPECT_EQ(a.text(), "abcdefgh");
    spool b(std::move(a));
    EXPECT_EQ(b.text(), "abcdefgh");
    spool c(100);
    c.append("memory");
    b = std::move(c);
    EXPECT_EQ(b.text(), "memory");
    EXPECT_TRUE(b.is_in_memory());
}

TEST(Spool, saves_to_a_path) {
    std::string dir = (std::filesystem::temp_directory_path() / "rondo-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(dir.data()), nullptr);
    const std::string out = dir + "/out";
    std::ofstream(out) << "longer content from before";
    for (const std::size_t threshold : {3, 100}) {
        spool s(threshold);
        s.append("content");
        s.save_to(out);
        EXPECT_EQ(std::filesystem::file_size(out), 7u);
    }
    spool s;
    EXPECT_THROW(s.save_to(dir + "/no/such/folder"), std::system_error);
    std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace rondo
