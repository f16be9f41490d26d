// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <rondo/http/characters.hpp>

/// Finding the end of a name, a value or a target: each returns the first byte in [p, end) that is not of the class, or
/// end. `scalar` is the definition; `sse2` gives the same results sixteen bytes at a time and never reads at or after end.
namespace rondo::http::h1::scan {

namespace scalar {

[[nodiscard]] inline const char* end_of(const char* p, const char* end, characters::character_class wanted) noexcept {
    while (p != end && characters::is(*p, wanted)) ++p;
    return p;
}

[[nodiscard]] inline const char* end_of_name(const char* p, const char* end) noexcept {
    return end_of(p, end, characters::token);
}

[[nodiscard]] inline const char* end_of_value(const char* p, const char* end) noexcept {
    return end_of(p, end, characters::field_byte);
}

/// Stops at '%' and '?' too, which need a closer look.
[[nodiscard]] inline const char* end_of_target(const char* p, const char* end) noexcept {
    return end_of(p, end, characters::target);
}

}  // namespace scalar

#if defined(__SSE2__)
namespace sse2 {

inline constexpr std::ptrdiff_t width = 16;

[[nodiscard]] inline __m128i load(const char* p) noexcept {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

/// Bit i is set when byte i is in [low, high]; both are from 1 to 126.
[[nodiscard]] inline __m128i in_range(__m128i bytes, char low, char high) noexcept {
    return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(static_cast<char>(low - 1))),
                         _mm_cmplt_epi8(bytes, _mm_set1_epi8(static_cast<char>(high + 1))));
}

[[nodiscard]] inline const char* end_of_name(const char* p, const char* end) noexcept {
    while (end - p >= width) {
        const __m128i bytes = load(p);
        const __m128i letters = in_range(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
        const __m128i common = _mm_or_si128(letters, _mm_or_si128(in_range(bytes, '0', '9'),
                                                                  _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-'))));
        const auto others = static_cast<unsigned>(_mm_movemask_epi8(common)) ^ 0xffffU;
        if (others == 0) {
            p += width;
            continue;
        }
        p += std::countr_zero(others);
        // The rarer tchars are not in `common`.
        if (!characters::is(*p, characters::token)) return p;
        ++p;
    }
    return scalar::end_of_name(p, end);
}

[[nodiscard]] inline const char* end_of_value(const char* p, const char* end) noexcept {
    while (end - p >= width) {
        const __m128i bytes = load(p);
        const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
        const __m128i control = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t')), low),
                                             _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
        const auto found = static_cast<unsigned>(_mm_movemask_epi8(control));
        if (found != 0) return p + std::countr_zero(found);
        p += width;
    }
    return scalar::end_of_value(p, end);
}

}  // namespace sse2

using sse2::end_of_name;
using sse2::end_of_value;
#else
using scalar::end_of_name;
using scalar::end_of_value;
#endif

using scalar::end_of_target;

}  // namespace rondo::http::h1::scan
