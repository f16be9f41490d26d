// SPDX-License-Identifier: Apache-2.0
// Scanners that find the end of a name, a target or a line of a head, with SSE2 where available.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <rondo/http/characters.hpp>

/// Both scanners return the same results; `sse2_scanner` processes sixteen bytes at a time. Neither reads outside the
/// bytes passed to its constructor.
namespace rondo::http::h1 {

/// The reference implementation, used without SSE2 and for heads smaller than sse2_scanner::min_size.
class scalar_scanner {
public:
    static constexpr std::size_t min_size = 0;

    scalar_scanner(const char*, const char*) noexcept {}

    /// Returns the first byte from p on that is not a tchar; there must be one.
    [[nodiscard]] const char* end_of_name(const char* p) const noexcept {
        while (characters::is(*p, characters::token)) ++p;
        return p;
    }

    /// Returns the first byte in [p, stop) that is not allowed in a target or needs handling ('%' and '?'), or stop.
    [[nodiscard]] const char* end_of_target(const char* p, const char* stop) const noexcept {
        while (p != stop && characters::is(*p, characters::target)) ++p;
        return p;
    }

    /// Returns the first control byte but HTAB in [p, stop), or stop. Neither may decrease from call to call.
    [[nodiscard]] const char* find_control(const char* p, const char* stop) noexcept {
        while (p != stop && characters::is(*p, characters::field_byte)) ++p;
        return p;
    }
};

#if defined(__SSE2__)

class sse2_scanner {
public:
    static constexpr std::size_t min_size = 16;

    /// Requires at least `min_size` bytes.
    sse2_scanner(const char* begin, const char* end) noexcept
        : last_load_(end - min_size), block_(begin), covered_end_(begin) {}

    // The vector test covers the common bytes of a class; other bytes are looked up in the table.
    [[nodiscard]] const char* end_of_name(const char* p) const noexcept {
        for (;; ++p) {
            p += leading(p, [](__m128i bytes) {
                return _mm_or_si128(letters(bytes), _mm_or_si128(in_range(bytes, '0', '9'), equal(bytes, '-')));
            });
            if (!characters::is(*p, characters::token)) return p;
        }
    }

    [[nodiscard]] const char* end_of_target(const char* p, const char* stop) const noexcept {
        for (; p < stop; ++p) {
            p += leading(p, [](__m128i bytes) {
                const __m128i signs =
                    _mm_or_si128(_mm_or_si128(equal(bytes, '='), equal(bytes, '&')), equal(bytes, '_'));
                return _mm_or_si128(letters(bytes), _mm_or_si128(in_range(bytes, '-', ';'), signs));
            });
            if (p >= stop) return stop;
            if (!characters::is(*p, characters::target)) return p;
        }
        return stop;
    }

    // Finds all control bytes in 64 at once and caches their positions, so that finding the end of a line does not
    // depend on processing the line before.
    [[nodiscard]] const char* find_control(const char* p, const char* stop) noexcept {
        for (;;) {
            if (p < covered_end_) {
                const std::uint64_t remaining = controls_ >> (p - block_);
                if (remaining != 0) return p + std::countr_zero(remaining);
                p = covered_end_;
            }
            if (p >= stop) return stop;
            block_ = p;
            controls_ = controls_of_block(stop);
        }
    }

private:
    [[nodiscard]] static __m128i load(const char* p) noexcept {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    }

    [[nodiscard]] static __m128i equal(__m128i bytes, char c) noexcept {
        return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c));
    }

    // `low` and `high` are from 1 to 126.
    [[nodiscard]] static __m128i in_range(__m128i bytes, char low, char high) noexcept {
        return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(static_cast<char>(low - 1))),
                             _mm_cmplt_epi8(bytes, _mm_set1_epi8(static_cast<char>(high + 1))));
    }

    [[nodiscard]] static __m128i letters(__m128i bytes) noexcept {
        return in_range(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
    }

    [[nodiscard]] static std::uint32_t bits(__m128i bytes) noexcept {
        return static_cast<std::uint32_t>(_mm_movemask_epi8(bytes));
    }

    [[nodiscard]] static std::uint64_t controls_of(const char* p) noexcept {
        const __m128i bytes = load(p);
        const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
        return bits(_mm_or_si128(_mm_andnot_si128(equal(bytes, '\t'), low), equal(bytes, 0x7f)));
    }

    // The number of leading bytes of the class among the up to 16 bytes at p. With fewer than 16 bytes remaining, loads
    // the last 16 and shifts out those before p.
    template <class Class>
    [[nodiscard]] int leading(const char* p, Class is_of_class) const noexcept {
        const char* const from = std::min(p, last_load_);
        return std::countr_one(bits(is_of_class(load(from))) >> (p - from));
    }

    [[nodiscard]] std::uint64_t controls_of_block(const char* stop) noexcept {
        if (stop - block_ >= 64) {
            covered_end_ = block_ + 64;
            return controls_of(block_) | controls_of(block_ + 16) << 16 | controls_of(block_ + 32) << 32 |
                   controls_of(block_ + 48) << 48;
        }
        covered_end_ = stop;
        std::uint64_t found = 0;
        for (const char* p = block_; p < stop; p += 16) {
            const char* const from = std::min(p, last_load_);
            found |= controls_of(from) >> (p - from) << (p - block_);
        }
        return found & ((std::uint64_t{1} << (stop - block_)) - 1);
    }

    const char* const last_load_;  // the last position to load from
    const char* block_;            // the start of the up to 64 bytes that controls_ covers
    const char* covered_end_;
    std::uint64_t controls_ = 0;
};

using fast_scanner = sse2_scanner;
#else
using fast_scanner = scalar_scanner;
#endif

}  // namespace rondo::http::h1
