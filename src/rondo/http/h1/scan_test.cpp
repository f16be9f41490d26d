// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/h1/scan.hpp>

#include <cstddef>
#include <memory>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace rondo::http::h1::scan {
namespace {

#if defined(__SSE2__)

// Memory of exactly this size, so that a read past the end is found.
struct exact {
    explicit exact(std::size_t bytes_wanted) : bytes(std::make_unique<char[]>(bytes_wanted)), size(bytes_wanted) {}
    [[nodiscard]] const char* begin() const { return bytes.get(); }
    [[nodiscard]] const char* end() const { return bytes.get() + size; }

    std::unique_ptr<char[]> bytes;
    std::size_t size;
};

void expect_same(const exact& text, std::size_t from) {
    const char* const begin = text.begin() + from;
    EXPECT_EQ(sse2::end_of_name(begin, text.end()), scalar::end_of_name(begin, text.end()));
    EXPECT_EQ(sse2::end_of_value(begin, text.end()), scalar::end_of_value(begin, text.end()));
}

TEST(scan, every_byte_at_every_place) {
    for (int c = 0; c < 256; ++c) {
        for (std::size_t size = 1; size <= 40; ++size) {
            exact text(size);
            std::fill_n(text.bytes.get(), size, 'a');
            for (std::size_t at = 0; at < size; ++at) {
                text.bytes[at] = static_cast<char>(c);
                expect_same(text, 0);
                text.bytes[at] = 'a';
            }
        }
    }
}

TEST(scan, random_bytes_at_every_alignment) {
    std::mt19937 random(1);
    for (int round = 0; round < 2000; ++round) {
        exact text(random() % 100 + 1);
        // Mostly good bytes, so that the scan goes far.
        for (std::size_t i = 0; i < text.size; ++i) {
            text.bytes[i] = static_cast<char>(random() % 40 == 0 ? random() % 256 : 'a' + random() % 26);
        }
        for (std::size_t from = 0; from < text.size; ++from) expect_same(text, from);
    }
}

#endif

TEST(scan, empty_range) {
    const char c = 'a';
    EXPECT_EQ(end_of_name(&c, &c), &c);
    EXPECT_EQ(end_of_value(&c, &c), &c);
    EXPECT_EQ(end_of_target(&c, &c), &c);
}

}  // namespace
}  // namespace rondo::http::h1::scan
