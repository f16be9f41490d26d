// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/redis/protocol.hpp>

#include <stdexcept>

#include <fmt/format.h>
#include <hiredis/hiredis.h>

namespace rondo::channels_detail {

namespace {

struct reader_end {
    void operator()(redisReader* r) const noexcept { redisReaderFree(r); }
};
struct reply_end {
    void operator()(redisReply* r) const noexcept { freeReplyObject(r); }
};

redis_value value_of(const redisReply& from) {
    redis_value made;
    switch (from.type) {
        case REDIS_REPLY_STRING:
        case REDIS_REPLY_STATUS: made.what = redis_value::kind::text; break;
        case REDIS_REPLY_ERROR: made.what = redis_value::kind::error; break;
        case REDIS_REPLY_INTEGER: made.what = redis_value::kind::integer; break;
        case REDIS_REPLY_ARRAY: made.what = redis_value::kind::array; break;
        default: break;
    }
    made.number = from.integer;
    if (from.str != nullptr) made.text.assign(from.str, static_cast<std::size_t>(from.len));
    if (made.what != redis_value::kind::array) return made;
    made.items.reserve(from.elements);
    for (std::size_t i = 0; i < from.elements; ++i) made.items.push_back(value_of(*from.element[i]));
    return made;
}

}  // namespace

void append_command(std::string& to, std::span<const std::string_view> words) {
    fmt::format_to(std::back_inserter(to), "*{}\r\n", words.size());
    for (const std::string_view word : words) {
        fmt::format_to(std::back_inserter(to), "${}\r\n", word.size());
        to.append(word).append("\r\n");
    }
}

struct redis_reader::state {
    std::unique_ptr<redisReader, reader_end> reader{redisReaderCreate()};
};

redis_reader::redis_reader() : state_(std::make_unique<state>()) {
    if (!state_->reader) throw std::bad_alloc();
}
redis_reader::~redis_reader() = default;

void redis_reader::feed(std::string_view bytes) {
    redisReader* r = state_->reader.get();
    if (redisReaderFeed(r, bytes.data(), bytes.size()) != REDIS_OK) throw std::runtime_error(r->errstr);
}

std::optional<redis_value> redis_reader::next() {
    redisReader* r = state_->reader.get();
    void* made = nullptr;
    if (redisReaderGetReply(r, &made) != REDIS_OK) throw std::runtime_error(r->errstr);
    if (made == nullptr) return std::nullopt;
    const std::unique_ptr<redisReply, reply_end> whole(static_cast<redisReply*>(made));
    return value_of(*whole);
}

}  // namespace rondo::channels_detail
