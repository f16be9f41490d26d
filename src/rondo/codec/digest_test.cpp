// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/digest.hpp>

#include <array>
#include <string>

#include <gtest/gtest.h>

#include <rondo/codec/base64.hpp>

namespace rondo::codec {
namespace {

// FIPS 180
TEST(Digest, matches_the_fips_test_vectors) {
    EXPECT_EQ(hex(sha1("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

// RFC 6455 section 1.3
TEST(Digest, matches_the_websocket_accept_example) {
    EXPECT_EQ(base64_encode(as_text(sha1("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))),
              "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

// RFC 4231
TEST(Digest, hmac_matches_the_rfc_test_vectors) {
    EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    EXPECT_EQ(hex(hmac_sha256("", "")), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    EXPECT_EQ(hex(hmac_sha256({}, "")), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Digest, compares_in_constant_time) {
    EXPECT_TRUE(constant_time_equal("", ""));
    EXPECT_TRUE(constant_time_equal("abc", "abc"));
    EXPECT_FALSE(constant_time_equal("abc", "abd"));
    EXPECT_FALSE(constant_time_equal("abc", "ab"));
}

TEST(Digest, random_bytes_differ) {
    std::array<std::uint8_t, 32> a{};
    std::array<std::uint8_t, 32> b{};
    fill_random(a);
    fill_random(b);
    EXPECT_NE(a, b);
    fill_random({});
}

}  // namespace
}  // namespace rondo::codec
