// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/read_to_end.hpp>

#include <gtest/gtest.h>

#include <rondo/web/exchange_test.hpp>

namespace rondo {
namespace {

using testing::fake_body;
using testing::test_loop;

task<void> collect(fake_body& body, spool& to) { co_await read_to_end(body, to); }

TEST(read_to_end, reads_everything) {
    test_loop l;
    for (const std::size_t threshold : {0, 5, 7, 1000}) {
        fake_body body;
        body.pieces = {"one ", "two ", "three"};
        body.declared = 13;
        spool s(threshold);
        l.run(collect(body, s));
        EXPECT_EQ(s.text(), "one two three");
        EXPECT_EQ(s.in_memory(), threshold == 1000);
    }
    fake_body none;
    spool s(0);
    l.run(collect(none, s));
    EXPECT_EQ(s.text(), "");
}

}  // namespace
}  // namespace rondo
