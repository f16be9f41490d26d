// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/stream.hpp>

#include <chrono>

#include <rondo/loop/loop.hpp>
#include <rondo/loop/thread_pool.hpp>

namespace rondo {

namespace {

using std::chrono_literals::operator""ms;

class async_pieces final : public body_source {
public:
    async_pieces(async_generator<std::string> pieces, std::optional<std::uint64_t> length) noexcept
        : pieces_(std::move(pieces)), length_(length) {}

    task<void> send(handler::responder& to, const handler::response_head& head, request&) override {
        writer out(to, head, length_);
        if (to.needs_body()) {
            while (const std::string* piece = co_await pieces_.next()) co_await out.write(*piece);
        }
        out.finish();
    }

private:
    async_generator<std::string> pieces_;
    std::optional<std::uint64_t> length_;
};

class blocking_pieces final : public body_source {
public:
    blocking_pieces(generator<std::string> pieces, std::optional<std::uint64_t> length) noexcept
        : pieces_(std::move(pieces)), length_(length) {}

    task<void> send(handler::responder& to, const handler::response_head& head, request&) override {
        writer out(to, head, length_);
        if (to.needs_body()) {
            while (const std::string* piece = co_await next(to)) co_await out.write(*piece);
        }
        out.finish();
    }

private:
    task<const std::string*> next(const handler::responder& to) {
        while (true) {
            try {
                co_return co_await run_blocking([this]() -> const std::string* { return pieces_.next(); });
            } catch (const pool_full&) {
                // A full pool may reject a response, but must not abort one that has started.
                if (!to.has_started()) throw;
            }
            co_await sleep(100ms);
        }
    }

    generator<std::string> pieces_;
    std::optional<std::uint64_t> length_;
};

}  // namespace

response stream(async_generator<std::string> pieces, std::string_view type, std::optional<std::uint64_t> length) {
    return with_source(std::make_unique<async_pieces>(std::move(pieces), length), {}).type(type);
}

response stream(generator<std::string> pieces, std::string_view type, std::optional<std::uint64_t> length) {
    return with_source(std::make_unique<blocking_pieces>(std::move(pieces), length), {}).type(type);
}

}  // namespace rondo
