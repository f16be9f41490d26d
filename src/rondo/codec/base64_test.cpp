// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/base64.hpp>

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace rondo::codec {
namespace {

// RFC 4648 section 10
TEST(Base64, matches_the_rfc_test_vectors) {
    const std::vector<std::pair<const char*, const char*>> vectors = {{"", ""},
                                                                      {"f", "Zg=="},
                                                                      {"fo", "Zm8="},
                                                                      {"foo", "Zm9v"},
                                                                      {"foob", "Zm9vYg=="},
                                                                      {"fooba", "Zm9vYmE="},
                                                                      {"foobar", "Zm9vYmFy"},
                                                                      {"\xff\xef\xbe", "/+++"}};
    for (const auto& [bytes, text] : vectors) {
        EXPECT_EQ(base64_encode(bytes), text);
        EXPECT_EQ(base64_decode(text), bytes);
    }
    EXPECT_EQ(base64url_encode("\xff\xef\xbe"), "_---");
    EXPECT_EQ(base64url_encode("f"), "Zg");
}

TEST(Base64, round_trips) {
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
        EXPECT_EQ(base64url_decode(base64url_encode(bytes)), bytes);
        bytes += static_cast<char>(i * 37);
    }
}

TEST(Base64, rejects_invalid_texts) {
    for (const char* bad :
         {"Z", "Zg", "Zg=", "Zg===", "=Zg=", "Zh==", "Zm9=", "Zm9v\n", "Zm 9v", "Zm9-", "====", "Zg==Zg=="}) {
        EXPECT_EQ(base64_decode(bad), std::nullopt) << bad;
    }
    for (const char* bad : {"Z", "Zh", "Zm9", "Zg==", "Zm9+", "Zm 9v"})
        EXPECT_EQ(base64url_decode(bad), std::nullopt) << bad;
    EXPECT_EQ(base64_decode(std::string("Zm9\0", 4)), std::nullopt);
}

}  // namespace
}  // namespace rondo::codec
