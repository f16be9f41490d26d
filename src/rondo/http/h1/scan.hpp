// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <rondo/http/characters.hpp>

/// Finding where a name, a target or a line of a head ends. Both scanners give the same results; `sse2_scanner` looks
/// at sixteen bytes at a time. Neither reads outside the bytes it was made for.
namespace rondo::http::h1 {

/// The definition, and what is used without SSE2 and for heads too small for it.
class scalar_scanner {
public:
    static constexpr std::size_t least = 0;

    scalar_scanner(const char*, const char*) noexcept {}

    /// The first byte from p on that is no tchar; there is one.
    [[nodiscard]] const char* end_of_name(const char* p) const noexcept {
        while (characters::is(*p, characters::token)) ++p;
        return p;
    }

    /// The first byte in [p, stop) that no target may hold, or that needs a closer look ('%' and '?'), or stop.
    [[nodiscard]] const char* end_of_target(const char* p, const char* stop) const noexcept {
        while (p != stop && characters::is(*p, characters::target)) ++p;
        return p;
    }

    /// The first control byte other than HTAB in [p, stop), or stop. From call to call neither p nor stop gets smaller.
    [[nodiscard]] const char* control(const char* p, const char* stop) noexcept {
        while (p != stop && characters::is(*p, characters::field_byte)) ++p;
        return p;
    }
};

#if defined(__SSE2__)

class sse2_scanner {
public:
    static constexpr std::size_t least = 16;

    /// There are at least `least` bytes.
    sse2_scanner(const char* begin, const char* end) noexcept : last_(end - least), block_(begin), covered_(begin) {}

    // The vectors know the usual bytes of a class; another byte is looked up.
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

    // The places of all control bytes of 64 are found at once and kept, so that finding the end of a line does not wait
    // for the line before to be looked at.
    [[nodiscard]] const char* control(const char* p, const char* stop) noexcept {
        for (;;) {
            if (p < covered_) {
                const std::uint64_t rest = controls_ >> (p - block_);
                if (rest != 0) return p + std::countr_zero(rest);
                p = covered_;
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

    // How many of the up to 16 bytes at p are of the class, up to the first that is not. Where fewer than 16 bytes are
    // left, the last 16 are loaded and those before p shifted out.
    template <class Class>
    [[nodiscard]] int leading(const char* p, Class is_of_class) const noexcept {
        const char* const from = std::min(p, last_);
        return std::countr_one(bits(is_of_class(load(from))) >> (p - from));
    }

    [[nodiscard]] std::uint64_t controls_of_block(const char* stop) noexcept {
        if (stop - block_ >= 64) {
            covered_ = block_ + 64;
            return controls_of(block_) | controls_of(block_ + 16) << 16 | controls_of(block_ + 32) << 32 |
                   controls_of(block_ + 48) << 48;
        }
        covered_ = stop;
        std::uint64_t found = 0;
        for (const char* p = block_; p < stop; p += 16) {
            const char* const from = std::min(p, last_);
            found |= controls_of(from) >> (p - from) << (p - block_);
        }
        return found & ((std::uint64_t{1} << (stop - block_)) - 1);
    }

    const char* const last_;  // the last place to load from
    const char* block_;       // what controls_ tells of: up to 64 bytes
    const char* covered_;
    std::uint64_t controls_ = 0;
};

using fast_scanner = sse2_scanner;
#else
using fast_scanner = scalar_scanner;
#endif

}  // namespace rondo::http::h1
