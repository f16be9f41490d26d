// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/decompress.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

namespace rondo::codec {
namespace {

std::string deflate_with(const std::string& text, int window_bits) {
    z_stream s{};
    EXPECT_EQ(deflateInit2(&s, 9, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
    std::string out(deflateBound(&s, text.size()), '\0');
    s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    s.avail_in = static_cast<uInt>(text.size());
    s.next_out = reinterpret_cast<Bytef*>(out.data());
    s.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&s, Z_FINISH), Z_STREAM_END);
    out.resize(s.total_out);
    deflateEnd(&s);
    return out;
}

std::string compress(const std::string& text, std::string_view coding) {
    if (coding == "gzip") return deflate_with(text, MAX_WBITS + 16);
    if (coding == "deflate") return deflate_with(text, MAX_WBITS);
    if (coding == "raw") return deflate_with(text, -MAX_WBITS);
    std::string out(ZSTD_compressBound(text.size()) + 1024, '\0');
    std::size_t size = out.size();
    if (coding == "zstd") size = ZSTD_compress(out.data(), size, text.data(), text.size(), 3);
    else
        EXPECT_TRUE(BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, text.size(),
                                          reinterpret_cast<const std::uint8_t*>(text.data()), &size,
                                          reinterpret_cast<std::uint8_t*>(out.data())));
    out.resize(size);
    return out;
}

std::string sample() {
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919) + ' ';
    return text;
}

class ContentCoding : public ::testing::TestWithParam<const char*> {
protected:
    static std::unique_ptr<decompressor> make() {
        return decompressor::make(std::string_view(GetParam()) == "raw" ? "deflate" : GetParam());
    }
};

TEST_P(ContentCoding, decodes_the_original_text) {
    const std::string text = sample();
    const std::string bytes = compress(text, GetParam());
    for (const std::size_t piece : {std::size_t{1}, std::size_t{777}, bytes.size()}) {
        auto d = make();
        std::string out;
        auto state = decompressor::decode_status::needs_input;
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            const auto part = std::string_view(bytes).substr(at, piece);
            const auto r = d->decode(part, out, 1 << 30);
            ASSERT_EQ(r.consumed, part.size());
            state = r.status;
        }
        EXPECT_EQ(state, decompressor::decode_status::ended);
        EXPECT_EQ(out, text);
    }
}

TEST_P(ContentCoding, produces_no_more_than_the_limit) {
    const std::string text(10 << 20, 'x');
    const std::string bytes = compress(text, GetParam());
    auto d = make();
    std::string_view rest = bytes;
    std::size_t size = 0;
    for (;;) {
        std::string out;
        const auto r = d->decode(rest, out, 10'000);
        EXPECT_LE(out.size(), 10'000u);
        size += out.size();
        rest.remove_prefix(r.consumed);
        if (r.status != decompressor::decode_status::output_full) {
            EXPECT_EQ(r.status, decompressor::decode_status::ended);
            break;
        }
    }
    EXPECT_EQ(size, text.size());
}

// Decodes in pieces of the given size; nothing when the input is invalid or incomplete.
std::optional<std::string> decompress(std::string_view coding, std::string_view bytes, std::size_t piece) {
    auto d = decompressor::make(coding);
    std::string out;
    auto state = decompressor::decode_status::needs_input;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        const auto r = d->decode(bytes.substr(at, piece), out, 1 << 30);
        if (r.status == decompressor::decode_status::invalid) return std::nullopt;
        state = r.status;
    }
    return state == decompressor::decode_status::ended ? std::optional(out) : std::nullopt;
}

TEST(Decompressor, decodes_several_members_and_frames) {
    const std::string skippable("\x50\x2a\x4d\x18\x03\0\0\0abc", 11);
    for (const std::string coding : {"gzip", "zstd"}) {
        const std::string a = compress("foo\n", coding);
        const std::string b = compress("bar\n", coding);
        const std::string empty = compress("", coding);
        for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, a.size(), std::size_t{1000}}) {
            EXPECT_EQ(decompress(coding, a + b, piece), "foo\nbar\n") << coding << piece;
            EXPECT_EQ(decompress(coding, empty + a + empty + b + empty, piece), "foo\nbar\n") << coding << piece;
            EXPECT_EQ(decompress(coding, a + b.substr(0, b.size() - 1), piece), std::nullopt) << coding << piece;
            EXPECT_EQ(decompress(coding, a + "garbage", piece), std::nullopt) << coding << piece;
        }
    }
    EXPECT_EQ(decompress("zstd", skippable + compress("x", "zstd") + skippable, 4), "x");
    EXPECT_EQ(decompress("zstd", compress("x", "zstd") + std::string(8, '\0'), 4), std::nullopt);
}

TEST(Decompressor, skips_zero_bytes_after_gzip) {
    const std::string a = compress("foo\n", "gzip");
    for (const std::size_t piece : {1U, 5U, 1000U}) {
        EXPECT_EQ(decompress("gzip", a + std::string(600, '\0'), piece), "foo\n");
        EXPECT_EQ(decompress("gzip", a + std::string(6, '\0') + a, piece), std::nullopt);
        EXPECT_EQ(decompress("gzip", a + std::string(6, '\0') + "x", piece), std::nullopt);
    }
    EXPECT_EQ(decompress("gzip", std::string(6, '\0') + a, 1000), std::nullopt);
}

TEST(Decompressor, rejects_data_after_deflate_and_brotli) {
    for (const std::string coding : {"deflate", "br"}) {
        const std::string a = compress("foo\n", coding);
        EXPECT_EQ(decompress(coding, a, 1), "foo\n") << coding;
        for (const std::size_t piece : {1U, 1000U}) {
            EXPECT_EQ(decompress(coding, a + a, piece), std::nullopt) << coding;
            EXPECT_EQ(decompress(coding, a + std::string(1, '\0'), piece), std::nullopt) << coding;
        }
    }
}

TEST(Decompressor, limits_the_output_of_all_members_together) {
    std::string many;
    for (int i = 0; i < 100; ++i) many += compress(std::string(1000, 'x'), "gzip");
    auto d = decompressor::make("gzip");
    std::string out;
    const auto r = d->decode(many, out, 10'500);
    EXPECT_EQ(r.status, decompressor::decode_status::output_full);
    EXPECT_EQ(out.size(), 10'500u);
}

TEST_P(ContentCoding, detects_invalid_input) {
    std::string bytes = compress(sample(), GetParam());
    for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + 40; ++i) bytes[i] = static_cast<char>(~bytes[i]);
    std::string out;
    const bool ended = make()->decode(bytes, out, 1 << 30).status == decompressor::decode_status::ended;
    // Raw deflate has no checksum: corrupted input may still be a valid stream.
    if (GetParam() == std::string_view("raw")) EXPECT_FALSE(ended && out == sample());
    else EXPECT_FALSE(ended);
    EXPECT_EQ(make()->decode(std::string(100, '\xff'), out, 1 << 30).status, decompressor::decode_status::invalid);
}

INSTANTIATE_TEST_SUITE_P(all, ContentCoding, ::testing::Values("gzip", "deflate", "raw", "br", "zstd"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Decompressor, knows_no_other_codings) {
    EXPECT_NE(decompressor::make("GZip"), nullptr);
    EXPECT_EQ(decompressor::make("identity"), nullptr);
    EXPECT_EQ(decompressor::make(""), nullptr);
}

TEST(Decompressor, rejects_a_large_zstd_window) {
    ZSTD_CCtx* c = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 26);
    const std::string text(100'000, 'x');
    std::string out(200'000, '\0');
    ZSTD_inBuffer in{text.data(), text.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    EXPECT_FALSE(ZSTD_isError(ZSTD_compressStream2(c, &to, &in, ZSTD_e_flush)));
    ZSTD_freeCCtx(c);
    std::string back;
    EXPECT_EQ(decompressor::make("zstd")->decode({out.data(), to.pos}, back, 1 << 20).status,
              decompressor::decode_status::invalid);
}

}  // namespace
}  // namespace rondo::codec
