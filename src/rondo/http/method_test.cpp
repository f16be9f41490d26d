// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/method.hpp>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

TEST(method, there_and_back) {
    for (int i = 0; i < static_cast<int>(method::other); ++i) {
        const auto m = static_cast<method>(i);
        EXPECT_FALSE(to_string(m).empty());
        EXPECT_EQ(method_of(to_string(m)), m);
    }
    EXPECT_EQ(to_string(method::delete_), "DELETE");
    EXPECT_EQ(to_string(method::other), "");
}

TEST(method, is_case_sensitive) {
    for (const char* token : {"get", "Get", "GETX", "GE", "", "PROPFIND"}) EXPECT_EQ(method_of(token), method::other);
}

TEST(method, safe_ones) {
    EXPECT_TRUE(is_safe(method::get));
    EXPECT_TRUE(is_safe(method::options));
    EXPECT_FALSE(is_safe(method::post));
    EXPECT_FALSE(is_safe(method::other));
}

}  // namespace
}  // namespace rondo::http
