// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/intrusive_list.hpp>

#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace rondo {
namespace {

struct item : list_node {
    explicit item(int v) : value(v) {}
    int value;
};

std::vector<int> values(intrusive_list<item>& list) {
    std::vector<int> result;
    list.for_each([&](item& i) { result.push_back(i.value); });
    return result;
}

TEST(IntrusiveList, keeps_the_order) {
    intrusive_list<item> list;
    EXPECT_TRUE(list.empty());
    item a(1), b(2), c(3);
    for (item* i : {&a, &b, &c}) list.push_back(*i);
    EXPECT_EQ(values(list), (std::vector{1, 2, 3}));
    EXPECT_EQ(&list.front(), &a);
    EXPECT_EQ(&list.pop_front(), &a);
    EXPECT_FALSE(a.is_linked());
    b.unlink();
    b.unlink();
    EXPECT_EQ(values(list), std::vector{3});
    list.push_back(a);
    EXPECT_EQ(values(list), (std::vector{3, 1}));
}

TEST(IntrusiveList, removes_an_item_when_it_is_destroyed) {
    intrusive_list<item> list;
    item a(1), c(3);
    list.push_back(a);
    {
        item b(2);
        list.push_back(b);
        list.push_back(c);
    }
    EXPECT_EQ(values(list), (std::vector{1, 3}));
}

TEST(IntrusiveList, items_are_usable_after_their_list_is_destroyed) {
    item a(1), b(2);
    {
        intrusive_list<item> list;
        list.push_back(a);
        list.push_back(b);
    }
    a.unlink();
    EXPECT_FALSE(b.is_linked());
    intrusive_list<item> other;
    other.push_back(b);
    EXPECT_EQ(values(other), std::vector{2});
}

TEST(IntrusiveList, splices_in_order) {
    intrusive_list<item> to, from;
    item a(1), b(2), c(3);
    to.push_back(a);
    from.push_back(b);
    from.push_back(c);
    to.splice(from);
    EXPECT_TRUE(from.empty());
    EXPECT_EQ(values(to), (std::vector{1, 2, 3}));
    to.splice(from);
    EXPECT_EQ(values(to), (std::vector{1, 2, 3}));
    from.splice(to);
    EXPECT_TRUE(to.empty());
    EXPECT_EQ(values(from), (std::vector{1, 2, 3}));
    c.unlink();
    EXPECT_EQ(values(from), (std::vector{1, 2}));
}

TEST(IntrusiveList, allows_removal_of_the_visited_item) {
    intrusive_list<item> list;
    std::vector<std::unique_ptr<item>> items;
    for (int i = 0; i < 4; ++i) list.push_back(*items.emplace_back(std::make_unique<item>(i)));
    list.for_each([&](item& i) {
        if (i.value % 2) items[static_cast<std::size_t>(i.value)].reset();
    });
    EXPECT_EQ(values(list), (std::vector{0, 2}));
}

}  // namespace
}  // namespace rondo
