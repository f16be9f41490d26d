// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/status.hpp>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

TEST(Status, has_reason_phrases) {
    EXPECT_EQ(reason(status::ok), "OK");
    EXPECT_EQ(reason(status::content_too_large), "Content Too Large");
    EXPECT_EQ(reason(static_cast<status>(299)), "");
    EXPECT_EQ(reason(static_cast<status>(0)), "");
    EXPECT_EQ(reason(static_cast<status>(999)), "");
}

// RFC 9112 section 6.3
TEST(Status, some_codes_forbid_a_body) {
    for (int code = 100; code < 600; ++code) {
        EXPECT_EQ(forbids_body(static_cast<status>(code)), code < 200 || code == 204 || code == 304) << code;
    }
}

}  // namespace
}  // namespace rondo::http
