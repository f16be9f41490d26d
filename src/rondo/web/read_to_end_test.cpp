// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/read_to_end.hpp>

#include <gtest/gtest.h>

#include <rondo/handler/error.hpp>
#include <rondo/loop/coalescing_buffer.hpp>
#include <rondo/web/exchange_fixture.hpp>

namespace rondo {
namespace {

using testing::fake_body;
using testing::test_loop;

task<void> collect(fake_body& body, spool& to) { co_await read_to_end(body, to); }

TEST(ReadToEnd, reads_everything) {
    test_loop l;
    for (const std::size_t threshold : {0, 5, 7, 1000}) {
        fake_body body;
        body.pieces = {"one ", "two ", "three"};
        body.declared = 13;
        spool s(threshold);
        l.run(collect(body, s));
        EXPECT_EQ(s.text(), "one two three");
        EXPECT_EQ(s.is_in_memory(), threshold == 1000);
    }
    fake_body none;
    spool s(0);
    l.run(collect(none, s));
    EXPECT_EQ(s.text(), "");
}

// A body that counts how often the spool grew between two reads, and may end with a failure.
class counting_body final : public handler::body {
public:
    counting_body(const spool& to, std::size_t bytes) : to_(to), remaining_(bytes) {}

    task<std::string_view> read() override {
        if (to_.size() != std::exchange(previous_size_, to_.size())) ++appends;
        if (remaining_ == 0 && fails) throw http_error(http::status::content_too_large, "enough");
        if (remaining_ == 0) co_return std::string_view();
        --remaining_;
        co_return "x";
    }
    std::optional<std::string_view> try_read() override { return std::nullopt; }
    std::optional<std::uint64_t> length() const noexcept override { return std::nullopt; }
    bool is_at_end() const noexcept override { return remaining_ == 0 && !fails; }
    void limit(std::uint64_t) noexcept override {}
    std::uint64_t limit() const noexcept override { return UINT64_MAX; }
    const http::fields* trailers() const noexcept override { return nullptr; }

    std::size_t appends = 0;
    bool fails = false;

private:
    const spool& to_;
    std::uint64_t previous_size_ = 0;
    std::size_t remaining_;
};

task<void> collect_counting(counting_body& body, spool& to) { co_await read_to_end(body, to); }

TEST(ReadToEnd, batches_small_pieces_before_writing_to_disk) {
    test_loop l;
    spool s(0);
    counting_body body(s, 2 * pool_batch::flush_size + 10);
    l.run(collect_counting(body, s));
    EXPECT_EQ(s.size(), 2 * pool_batch::flush_size + 10);
    EXPECT_EQ(body.appends, 2u) << "jobs on the blocking pool before the last read";
}

TEST(ReadToEnd, keeps_the_bytes_read_before_a_failure) {
    test_loop l;
    spool s(5);
    counting_body body(s, 100);
    body.fails = true;
    EXPECT_THROW(l.run(collect_counting(body, s)), http_error);
    EXPECT_EQ(s.text(), std::string(100, 'x'));
}

}  // namespace
}  // namespace rondo
