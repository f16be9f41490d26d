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

// The server names the number before the values come, and hiredis makes room for so many at once.
constexpr std::size_t most_values = 1024;
constexpr int deepest_nesting = 7;

decltype(redisReplyObjectFunctions::createArray) make_any_array = nullptr;

// Count is another type from one version of hiredis to the next.
template <class Count>
void* make_array(const redisReadTask* task, Count count) {
    int depth = 0;
    for (const redisReadTask* in = task; in->parent != nullptr; in = in->parent) ++depth;
    const bool allowed = static_cast<std::size_t>(count) <= most_values && depth <= deepest_nesting;
    return allowed ? make_any_array(task, count) : nullptr;
}

redisReplyObjectFunctions* bounded_functions() {
    static redisReplyObjectFunctions functions = [] {
        const std::unique_ptr<redisReader, reader_end> any(redisReaderCreate());
        if (!any) throw std::bad_alloc();
        redisReplyObjectFunctions made = *any->fn;
        make_any_array = made.createArray;
        made.createArray = make_array;
        return made;
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
    std::unique_ptr<redisReader, reader_end> reader{redisReaderCreateWithFunctions(bounded_functions())};
};

redis_reader::redis_reader(std::size_t most_unread) : state_(std::make_unique<state>()), most_unread_(most_unread) {
    if (!state_->reader) throw std::bad_alloc();
}
redis_reader::~redis_reader() = default;

void redis_reader::feed(std::string_view bytes) {
    redisReader* r = state_->reader.get();
    if (r->len - r->pos + bytes.size() > most_unread_)
        throw std::runtime_error(fmt::format("it sent a value of more than {} bytes", most_unread_));
    if (redisReaderFeed(r, bytes.data(), bytes.size()) != REDIS_OK) throw std::runtime_error(r->errstr);
}

std::optional<redis_value> redis_reader::next() {
    redisReader* r = state_->reader.get();
    void* made = nullptr;
    if (redisReaderGetReply(r, &made) != REDIS_OK) {
        if (r->err != REDIS_ERR_OOM) throw std::runtime_error(r->errstr);
        throw std::runtime_error(
            fmt::format("it sent an array of more than {} values, too many levels of them, or more than fits in memory",
                        most_values));
    }
    if (made == nullptr) return std::nullopt;
    const std::unique_ptr<redisReply, reply_end> whole(static_cast<redisReply*>(made));
    return value_of(*whole);
}

}  // namespace rondo::channels_detail
