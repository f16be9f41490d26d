// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/accept.hpp>

#include <array>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

// The example of RFC 9110 section 12.5.1.
TEST(Accept, uses_the_most_specific_range) {
    const std::string_view accept = "text/*;q=0.3, text/plain;q=0.7, text/html;level=1, */*;q=0.5";
    EXPECT_EQ(accept_quality(accept, "text/plain"), 700);
    EXPECT_EQ(accept_quality(accept, "TEXT/HTML"), 1000);
    EXPECT_EQ(accept_quality(accept, "text/css"), 300);
    EXPECT_EQ(accept_quality(accept, "image/png"), 500);
}

TEST(Accept, parses_qualities) {
    EXPECT_EQ(accept_quality("", "a/b"), 1000);
    EXPECT_EQ(accept_quality("c/d", "a/b"), 0);
    EXPECT_EQ(accept_quality("a/b;q=0", "a/b"), 0);
    EXPECT_EQ(accept_quality("a/b;q=0.001", "a/b"), 1);
    EXPECT_EQ(accept_quality("a/b; Q=1.000", "a/b"), 1000);
    for (const char* bad :
         {"a/b;q=2", "a/b;q=1.5", "a/b;q=", "a/b;q=.5", "a/b;q=0.0001", "a/b;q=-1", "a/b;q=x", ";", ",,"}) {
        EXPECT_EQ(accept_quality(bad, "a/b"), 0) << bad;
    }
    EXPECT_EQ(accept_quality("a/b;q=9, */*;q=0.1", "a/b"), 100) << "an element with an error is skipped";
}

TEST(Accept, matches_tokens) {
    EXPECT_EQ(token_quality("gzip;q=0.5, br, *;q=0.1", "GZIP"), 500);
    EXPECT_EQ(token_quality("gzip;q=0.5, br, *;q=0.1", "zstd"), 100);
    EXPECT_EQ(token_quality("gzip", "br"), 0);
    EXPECT_EQ(token_quality("", "br"), 0);
}

TEST(Accept, chooses_the_best_offer) {
    const std::array<std::string_view, 2> offers = {"text/html; charset=utf-8", "application/json"};
    EXPECT_EQ(best_offer("application/json", offers), 1U);
    EXPECT_EQ(best_offer("*/*", offers), 0U);
    EXPECT_EQ(best_offer("text/html;q=0.5, application/json;q=0.6", offers), 1U);
    EXPECT_EQ(best_offer("image/png", offers), offers.size());
}

}  // namespace
}  // namespace rondo::http
