// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/h1/scanner.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace rondo::http::h1 {
namespace {

// Memory of exactly this size, so that sanitizers find a read outside.
struct exact_buffer {
    explicit exact_buffer(std::size_t count) : bytes(std::make_unique<char[]>(count)), size(count) {}
    [[nodiscard]] const char* begin() const { return bytes.get(); }
    [[nodiscard]] const char* end() const { return bytes.get() + size; }

    std::unique_ptr<char[]> bytes;
    std::size_t size;
};

// The positions of all control bytes from `from` on, found as by a head parser.
template <class Scanner>
std::vector<std::ptrdiff_t> controls_from(const exact_buffer& text, std::size_t from, const char* stop) {
    Scanner scan(text.begin(), text.end());
    std::vector<std::ptrdiff_t> found;
    for (const char* p = text.begin() + from;; ++p) {
        p = scan.find_control(p, stop);
        found.push_back(p - text.begin());
        if (p == stop) return found;
    }
}

template <class Scanner>
void expect_same(const exact_buffer& text, std::size_t from, std::size_t stop_at) {
    const scalar_scanner slow(text.begin(), text.end());
    const Scanner fast(text.begin(), text.end());
    const char* const p = text.begin() + from;
    const char* const stop = text.begin() + stop_at;
    EXPECT_EQ(fast.end_of_target(p, stop), slow.end_of_target(p, stop)) << from << " to " << stop_at;
    EXPECT_EQ(controls_from<Scanner>(text, from, stop), controls_from<scalar_scanner>(text, from, stop))
        << from << " to " << stop_at;
    // end_of_name() requires a byte that ends the name.
    const bool ends = std::any_of(p, text.end(), [](char c) { return !characters::is(c, characters::token); });
    if (ends) {
        EXPECT_EQ(fast.end_of_name(p), slow.end_of_name(p)) << from;
    }
}

TEST(Scanner, scalar_and_vector_agree_on_every_byte_at_every_position) {
    for (int c = 0; c < 256; ++c) {
        for (std::size_t size = fast_scanner::min_size; size <= 40; size += 3) {
            exact_buffer text(size);
            std::fill_n(text.bytes.get(), size, 'a');
            for (std::size_t at = 0; at < size; ++at) {
                text.bytes[at] = static_cast<char>(c);
                expect_same<fast_scanner>(text, 0, size);
                text.bytes[at] = 'a';
            }
        }
    }
}

TEST(Scanner, scalar_and_vector_agree_at_every_alignment) {
    std::mt19937 random(1);
    for (int round = 0; round < 1000; ++round) {
        exact_buffer text(random() % 200 + 16);
        // Mostly valid bytes, so that scans are long.
        for (std::size_t i = 0; i < text.size; ++i) {
            text.bytes[i] = static_cast<char>(random() % 40 == 0 ? random() % 256 : 'a' + random() % 26);
        }
        for (std::size_t from = 0; from <= text.size; ++from) {
            expect_same<fast_scanner>(text, from, text.size);
            expect_same<fast_scanner>(text, from, from + random() % (text.size - from + 1));
        }
    }
}

TEST(Scanner, scalar_and_vector_agree_on_random_bytes) {
    std::mt19937 random(2);
    for (int round = 0; round < 3000; ++round) {
        exact_buffer text(random() % 150 + 16);
        for (std::size_t i = 0; i < text.size; ++i) text.bytes[i] = static_cast<char>(random());
        expect_same<fast_scanner>(text, random() % text.size, text.size);
    }
}

}  // namespace
}  // namespace rondo::http::h1
