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

constexpr std::size_t step = 16 * 1024;
constexpr int zstd_window_bits = 23;  // RFC 9659: 8 MiB

// Extends `out` by one step; the destructor removes the unused part.
class room {
public:
    room(std::string& out, std::size_t limit) : out_(out), before_(out.size()), size_(std::min(limit, step)) {
        out_.resize(before_ + size_);
    }
    ~room() { out_.resize(before_ + used_); }
    room(const room&) = delete;
    room& operator=(const room&) = delete;

    [[nodiscard]] char* data() noexcept { return out_.data() + before_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    void used(std::size_t bytes) noexcept { used_ = bytes; }

private:
    std::string& out_;
    std::size_t before_;
    std::size_t size_;
    std::size_t used_ = 0;
};

// The result of one step of a library.
struct progress {
    std::size_t taken;
    std::size_t given;
    bool ended;
    bool bad;
};

// The loop that all libraries need around one step.
template <class Step>
decompressor::result run(std::string_view in, std::string& out, std::size_t limit, Step decode_step) {
    std::size_t consumed = 0;
    std::size_t produced = 0;
    for (;;) {
        if (produced == limit) return {decompressor::state::full, consumed};
        room buffer(out, limit - produced);
        const progress p = decode_step(in.substr(consumed), buffer.data(), buffer.size());
        buffer.used(p.given);
        consumed += p.taken;
        produced += p.given;
        if (p.bad) return {decompressor::state::bad, consumed};
        if (p.ended) return {decompressor::state::ended, consumed};
        const bool was_full = p.given == buffer.size();
        if (consumed == in.size() && !was_full) return {decompressor::state::more, consumed};
        if (p.taken == 0 && p.given == 0) return {decompressor::state::bad, consumed};
    }
}

class zlib_decompressor final : public decompressor {
public:
    explicit zlib_decompressor(bool deflate) : undecided_(deflate), gzip_(!deflate) {
        begin(deflate ? MAX_WBITS : MAX_WBITS + 16);
    }
    ~zlib_decompressor() override { inflateEnd(&stream_); }
    zlib_decompressor(const zlib_decompressor&) = delete;
    zlib_decompressor& operator=(const zlib_decompressor&) = delete;

    result decode(std::string_view in, std::string& out, std::size_t limit) override {
        choose_form(in);
        const std::size_t before = out.size();
        std::size_t consumed = 0;
        for (;;) {
            if (ended_) {
                consumed += take_padding(in.substr(consumed));
                if (consumed == in.size()) return {state::ended, consumed};
                if (!gzip_ || padded_ || inflateReset(&stream_) != Z_OK) return {state::bad, consumed};
                ended_ = false;
            }
            result member = decode_member(in.substr(consumed), out, limit - (out.size() - before));
            member.consumed += consumed;
            ended_ = member.what == state::ended;
            if (!ended_) return member;
            consumed = member.consumed;
        }
    }

private:
    result decode_member(std::string_view in, std::string& out, std::size_t limit) {
        return run(in, out, limit, [this](std::string_view from, char* to, std::size_t size) {
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
    std::size_t take_padding(std::string_view in) noexcept {
        if (!gzip_) return 0;
        const std::size_t zeros = std::min(in.find_first_not_of('\0'), in.size());
        padded_ = padded_ || zeros > 0;
        return zeros;
    }
    void begin(int window_bits) {
        stream_ = {};
        if (inflateInit2(&stream_, window_bits) != Z_OK) throw std::bad_alloc();
    }
    // "deflate" means the zlib format, but some servers send raw deflate; the first byte distinguishes them.
    void choose_form(std::string_view in) {
        if (!undecided_ || in.empty()) return;
        undecided_ = false;
        if ((static_cast<unsigned char>(in.front()) & 0x0f) == Z_DEFLATED) return;
        inflateEnd(&stream_);
        begin(-MAX_WBITS);
    }

    z_stream stream_{};
    bool undecided_;  // whether deflate is zlib or raw
    bool gzip_;
    bool ended_ = false;   // at the end of a member
    bool padded_ = false;  // padding was skipped
};

class brotli_decompressor final : public decompressor {
public:
    brotli_decompressor() : state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {
        if (!state_) throw std::bad_alloc();
    }

    result decode(std::string_view in, std::string& out, std::size_t limit) override {
        if (BrotliDecoderIsFinished(state_.get())) return {in.empty() ? state::ended : state::bad, 0};
        const result all = run(in, out, limit, [this](std::string_view from, char* to, std::size_t size) {
            std::size_t available_in = from.size();
            const auto* next_in = reinterpret_cast<const std::uint8_t*>(from.data());
            std::size_t available_out = size;
            auto* next_out = reinterpret_cast<std::uint8_t*>(to);
            const BrotliDecoderResult code = BrotliDecoderDecompressStream(state_.get(), &available_in, &next_in,
                                                                           &available_out, &next_out, nullptr);
            return progress{from.size() - available_in, size - available_out, code == BROTLI_DECODER_RESULT_SUCCESS,
                            code == BROTLI_DECODER_RESULT_ERROR};
        });
        return all.what == state::ended && all.consumed < in.size() ? result{state::bad, all.consumed} : all;
    }

private:
    struct destroy {
        void operator()(BrotliDecoderState* s) const noexcept { BrotliDecoderDestroyInstance(s); }
    };
    std::unique_ptr<BrotliDecoderState, destroy> state_;
};

class zstd_decompressor final : public decompressor {
public:
    zstd_decompressor() : state_(ZSTD_createDStream()) {
        if (!state_) throw std::bad_alloc();
        ZSTD_DCtx_setParameter(state_.get(), ZSTD_d_windowLogMax, zstd_window_bits);
    }

    result decode(std::string_view in, std::string& out, std::size_t limit) override {
        if (ended_ && in.empty()) return {state::ended, 0};
        return run(in, out, limit, [this](std::string_view from, char* to, std::size_t size) {
            ZSTD_inBuffer input{from.data(), from.size(), 0};
            ZSTD_outBuffer output{to, size, 0};
            const std::size_t code = ZSTD_decompressStream(state_.get(), &output, &input);
            // Further input starts another frame.
            ended_ = code == 0;
            return progress{input.pos, output.pos, ended_ && input.pos == from.size(), ZSTD_isError(code) != 0};
        });
    }

private:
    struct destroy {
        void operator()(ZSTD_DStream* s) const noexcept { ZSTD_freeDStream(s); }
    };
    std::unique_ptr<ZSTD_DStream, destroy> state_;
    bool ended_ = false;
};

bool is(std::string_view text, std::string_view lower) {
    return std::ranges::equal(text, lower, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a | 0x20 : a) == b; });
}

}  // namespace

std::unique_ptr<decompressor> decompressor::make(std::string_view coding) {
    if (is(coding, "gzip") || is(coding, "x-gzip")) return std::make_unique<zlib_decompressor>(false);
    if (is(coding, "deflate")) return std::make_unique<zlib_decompressor>(true);
    if (is(coding, "br")) return std::make_unique<brotli_decompressor>();
    if (is(coding, "zstd")) return std::make_unique<zstd_decompressor>();
    return nullptr;
}

}  // namespace rondo::codec
