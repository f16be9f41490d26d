// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/decompress.hpp>

#include <algorithm>
#include <climits>
#include <new>

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

namespace rondo::codec {

namespace {

constexpr std::size_t step_size = 16 * 1024;
constexpr int zstd_window_bits = 23;  // RFC 9659: 8 MiB

// Extends `out` by one step; the destructor removes the unused part.
class output_space {
public:
    output_space(std::string& out, std::size_t limit)
        : out_(out), original_size_(out.size()), size_(std::min(limit, step_size)) {
        out_.resize(original_size_ + size_);
    }
    ~output_space() { out_.resize(original_size_ + committed_); }
    output_space(const output_space&) = delete;
    output_space& operator=(const output_space&) = delete;

    [[nodiscard]] char* data() noexcept { return out_.data() + original_size_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    void commit(std::size_t bytes) noexcept { committed_ = bytes; }

private:
    std::string& out_;
    std::size_t original_size_;
    std::size_t size_;
    std::size_t committed_ = 0;
};

// The result of one step of a library.
struct progress {
    std::size_t consumed;
    std::size_t produced;
    bool ended;
    bool failed;
};

// The loop that all libraries need around one step.
template <class Step>
decompressor::result decode_steps(std::string_view in, std::string& out, std::size_t limit, Step decode_step) {
    std::size_t consumed = 0;
    std::size_t produced = 0;
    for (;;) {
        if (produced == limit) return {decompressor::decode_status::output_full, consumed};
        output_space buffer(out, limit - produced);
        const progress p = decode_step(in.substr(consumed), buffer.data(), buffer.size());
        buffer.commit(p.produced);
        consumed += p.consumed;
        produced += p.produced;
        if (p.failed) return {decompressor::decode_status::invalid, consumed};
        if (p.ended) return {decompressor::decode_status::ended, consumed};
        const bool was_full = p.produced == buffer.size();
        if (consumed == in.size() && !was_full) return {decompressor::decode_status::needs_input, consumed};
        if (p.consumed == 0 && p.produced == 0) return {decompressor::decode_status::invalid, consumed};
    }
}

class zlib_decompressor final : public decompressor {
public:
    explicit zlib_decompressor(bool deflate) : format_unknown_(deflate), is_gzip_(!deflate) {
        init(deflate ? MAX_WBITS : MAX_WBITS + 16);
    }
    ~zlib_decompressor() override { inflateEnd(&stream_); }
    zlib_decompressor(const zlib_decompressor&) = delete;
    zlib_decompressor& operator=(const zlib_decompressor&) = delete;

    result decode(std::string_view in, std::string& out, std::size_t limit) override {
        detect_format(in);
        const std::size_t before = out.size();
        std::size_t consumed = 0;
        for (;;) {
            if (ended_) {
                consumed += skip_padding(in.substr(consumed));
                if (consumed == in.size()) return {decode_status::ended, consumed};
                if (!is_gzip_ || padding_skipped_ || inflateReset(&stream_) != Z_OK)
                    return {decode_status::invalid, consumed};
                ended_ = false;
            }
            result member = decode_member(in.substr(consumed), out, limit - (out.size() - before));
            member.consumed += consumed;
            ended_ = member.status == decode_status::ended;
            if (!ended_) return member;
            consumed = member.consumed;
        }
    }

private:
    result decode_member(std::string_view in, std::string& out, std::size_t limit) {
        return decode_steps(in, out, limit, [this](std::string_view from, char* to, std::size_t size) {
            from = from.substr(0, UINT_MAX);
            stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(from.data()));
            stream_.avail_in = static_cast<uInt>(from.size());
            stream_.next_out = reinterpret_cast<Bytef*>(to);
            stream_.avail_out = static_cast<uInt>(size);
            const int code = inflate(&stream_, Z_NO_FLUSH);
            const bool failed = code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR;
            return progress{from.size() - stream_.avail_in, size - stream_.avail_out, code == Z_STREAM_END, failed};
        });
    }
    // Skips zero bytes after the last member, as added by tapes and some servers; no further member may follow them.
    std::size_t skip_padding(std::string_view in) noexcept {
        if (!is_gzip_) return 0;
        const std::size_t zeros = std::min(in.find_first_not_of('\0'), in.size());
        padding_skipped_ = padding_skipped_ || zeros > 0;
        return zeros;
    }
    void init(int window_bits) {
        stream_ = {};
        if (inflateInit2(&stream_, window_bits) != Z_OK) throw std::bad_alloc();
    }
    // "deflate" means the zlib format, but some servers send raw deflate; the first byte distinguishes them.
    void detect_format(std::string_view in) {
        if (!format_unknown_ || in.empty()) return;
        format_unknown_ = false;
        if ((static_cast<unsigned char>(in.front()) & 0x0f) == Z_DEFLATED) return;
        inflateEnd(&stream_);
        init(-MAX_WBITS);
    }

    z_stream stream_{};
    bool format_unknown_;  // whether deflate is zlib or raw
    bool is_gzip_;
    bool ended_ = false;            // at the end of a member
    bool padding_skipped_ = false;  // padding was skipped
};

class brotli_decompressor final : public decompressor {
public:
    brotli_decompressor() : state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {
        if (!state_) throw std::bad_alloc();
    }

    result decode(std::string_view in, std::string& out, std::size_t limit) override {
        if (BrotliDecoderIsFinished(state_.get()))
            return {in.empty() ? decode_status::ended : decode_status::invalid, 0};
        const result decoded = decode_steps(in, out, limit, [this](std::string_view from, char* to, std::size_t size) {
            std::size_t available_in = from.size();
            const auto* next_in = reinterpret_cast<const std::uint8_t*>(from.data());
            std::size_t available_out = size;
            auto* next_out = reinterpret_cast<std::uint8_t*>(to);
            const BrotliDecoderResult code = BrotliDecoderDecompressStream(state_.get(), &available_in, &next_in,
                                                                           &available_out, &next_out, nullptr);
            return progress{from.size() - available_in, size - available_out, code == BROTLI_DECODER_RESULT_SUCCESS,
                            code == BROTLI_DECODER_RESULT_ERROR};
        });
        return decoded.status == decode_status::ended && decoded.consumed < in.size()
                   ? result{decode_status::invalid, decoded.consumed}
                   : decoded;
    }

private:
    struct deleter {
        void operator()(BrotliDecoderState* s) const noexcept { BrotliDecoderDestroyInstance(s); }
    };
    std::unique_ptr<BrotliDecoderState, deleter> state_;
};

class zstd_decompressor final : public decompressor {
public:
    zstd_decompressor() : state_(ZSTD_createDStream()) {
        if (!state_) throw std::bad_alloc();
        ZSTD_DCtx_setParameter(state_.get(), ZSTD_d_windowLogMax, zstd_window_bits);
    }

    result decode(std::string_view in, std::string& out, std::size_t limit) override {
        if (ended_ && in.empty()) return {decode_status::ended, 0};
        return decode_steps(in, out, limit, [this](std::string_view from, char* to, std::size_t size) {
            ZSTD_inBuffer input{from.data(), from.size(), 0};
            ZSTD_outBuffer output{to, size, 0};
            const std::size_t code = ZSTD_decompressStream(state_.get(), &output, &input);
            // Further input starts another frame.
            ended_ = code == 0;
            return progress{input.pos, output.pos, ended_ && input.pos == from.size(), ZSTD_isError(code) != 0};
        });
    }

private:
    struct deleter {
        void operator()(ZSTD_DStream* s) const noexcept { ZSTD_freeDStream(s); }
    };
    std::unique_ptr<ZSTD_DStream, deleter> state_;
    bool ended_ = false;
};

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
    return std::ranges::equal(text, lower, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a | 0x20 : a) == b; });
}

}  // namespace

std::unique_ptr<decompressor> decompressor::make(std::string_view coding) {
    if (equals_ignoring_case(coding, "gzip") || equals_ignoring_case(coding, "x-gzip"))
        return std::make_unique<zlib_decompressor>(false);
    if (equals_ignoring_case(coding, "deflate")) return std::make_unique<zlib_decompressor>(true);
    if (equals_ignoring_case(coding, "br")) return std::make_unique<brotli_decompressor>();
    if (equals_ignoring_case(coding, "zstd")) return std::make_unique<zstd_decompressor>();
    return nullptr;
}

}  // namespace rondo::codec
