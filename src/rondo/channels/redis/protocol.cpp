// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/redis/protocol.hpp>

#include <stdexcept>

#include <fmt/format.h>
#include <hiredis/hiredis.h>

namespace rondo::channels_detail {

namespace {

struct reader_deleter {
    void operator()(redisReader* r) const noexcept { redisReaderFree(r); }
};
struct reply_deleter {
    void operator()(redisReply* r) const noexcept { freeReplyObject(r); }
};

redis_value value_of(const redisReply& from) {
    redis_value value;
    switch (from.type) {
        case REDIS_REPLY_STRING:
        case REDIS_REPLY_STATUS: value.type = redis_value::kind::text; break;
        case REDIS_REPLY_ERROR: value.type = redis_value::kind::error; break;
        case REDIS_REPLY_INTEGER: value.type = redis_value::kind::integer; break;
        case REDIS_REPLY_ARRAY: value.type = redis_value::kind::array; break;
        default: break;
    }
    value.number = from.integer;
    if (from.str != nullptr) value.text.assign(from.str, static_cast<std::size_t>(from.len));
    if (value.type != redis_value::kind::array) return value;
    value.items.reserve(from.elements);
    for (std::size_t i = 0; i < from.elements; ++i) value.items.push_back(value_of(*from.element[i]));
    return value;
}

// The server sends the number of values before the values, and hiredis allocates space for all of them at once.
constexpr std::size_t max_array_size = 1024;
constexpr int max_depth = 7;

decltype(redisReplyObjectFunctions::createArray) create_array = nullptr;

// The type of the count differs between versions of hiredis.
template <class Count>
void* create_bounded_array(const redisReadTask* task, Count count) {
    int depth = 0;
    for (const redisReadTask* t = task; t->parent != nullptr; t = t->parent) ++depth;
    const bool allowed = static_cast<std::size_t>(count) <= max_array_size && depth <= max_depth;
    return allowed ? create_array(task, count) : nullptr;
}

redisReplyObjectFunctions* bounded_functions() {
    static redisReplyObjectFunctions functions = [] {
        const std::unique_ptr<redisReader, reader_deleter> reader(redisReaderCreate());
        if (!reader) throw std::bad_alloc();
        redisReplyObjectFunctions bounded = *reader->fn;
        create_array = bounded.createArray;
        bounded.createArray = create_bounded_array;
        return bounded;
    }();
    return &functions;
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
    std::unique_ptr<redisReader, reader_deleter> reader{redisReaderCreateWithFunctions(bounded_functions())};
};

redis_reader::redis_reader(std::size_t max_unread) : state_(std::make_unique<state>()), max_unread_(max_unread) {
    if (!state_->reader) throw std::bad_alloc();
}
redis_reader::~redis_reader() = default;

void redis_reader::feed(std::string_view bytes) {
    redisReader* r = state_->reader.get();
    if (r->len - r->pos + bytes.size() > max_unread_)
        throw std::runtime_error(fmt::format("it sent a value of more than {} bytes", max_unread_));
    if (redisReaderFeed(r, bytes.data(), bytes.size()) != REDIS_OK) throw std::runtime_error(r->errstr);
}

std::optional<redis_value> redis_reader::next() {
    redisReader* r = state_->reader.get();
    void* parsed = nullptr;
    if (redisReaderGetReply(r, &parsed) != REDIS_OK) {
        if (r->err != REDIS_ERR_OOM) throw std::runtime_error(r->errstr);
        throw std::runtime_error(fmt::format(
            "it sent an array of more than {} values, nested too deeply, or too large for memory", max_array_size));
    }
    if (parsed == nullptr) return std::nullopt;
    const std::unique_ptr<redisReply, reply_deleter> raw_reply(static_cast<redisReply*>(parsed));
    return value_of(*raw_reply);
}

}  // namespace rondo::channels_detail
