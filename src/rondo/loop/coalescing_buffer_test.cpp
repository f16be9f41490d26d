// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/coalescing_buffer.hpp>

#include <gtest/gtest.h>

namespace rondo {
namespace {

TEST(PoolBatch, gathers_small_pieces_until_they_are_worth_a_hop) {
    pool_batch batch;
    EXPECT_TRUE(batch.empty());
    std::size_t hops = 0;
    for (std::size_t i = 0; i < 3 * pool_batch::flush_size + 1; ++i) {
        if (!batch.add("x")) continue;
        EXPECT_EQ(batch.bytes().size(), pool_batch::flush_size);
        batch.clear();
        ++hops;
    }
    EXPECT_EQ(hops, 3u);
    EXPECT_EQ(batch.bytes(), "x");
}

TEST(PoolBatch, does_not_copy_a_large_piece) {
    pool_batch batch;
    const std::string large(pool_batch::flush_size, 'y');
    EXPECT_TRUE(batch.add(large));
    EXPECT_EQ(batch.bytes().data(), large.data());
    batch.clear();
    EXPECT_FALSE(batch.add("a"));
    EXPECT_TRUE(batch.add(large));
    EXPECT_EQ(batch.bytes(), "a" + large) << "in order";
}

}  // namespace
}  // namespace rondo
