// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/method.hpp>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

TEST(Method, round_trips) {
    for (int i = 0; i < static_cast<int>(method::other); ++i) {
        const auto m = static_cast<method>(i);
        EXPECT_FALSE(to_string(m).empty());
        EXPECT_EQ(parse_method(to_string(m)), m);
    }
    EXPECT_EQ(to_string(method::delete_), "DELETE");
    EXPECT_EQ(to_string(method::other), "");
}

TEST(Method, is_case_sensitive) {
    for (const char* token : {"get", "Get", "GETX", "GE", "", "PROPFIND"})
        EXPECT_EQ(parse_method(token), method::other);
}

TEST(Method, knows_safe_methods) {
    EXPECT_TRUE(is_safe(method::get));
    EXPECT_TRUE(is_safe(method::options));
    EXPECT_FALSE(is_safe(method::post));
    EXPECT_FALSE(is_safe(method::other));
}

}  // namespace
}  // namespace rondo::http
